#include "mnist/images.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace fleet {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 24U;  // of an image: 4096 x 4096
constexpr std::int64_t kMostImages = std::numeric_limits<std::int32_t>::max();

ImageFiles<IdxContent> scan(const std::filesystem::path& directory, const ImageFiles<std::string>& stems,
                            ContentCache& cache) {
  const auto file = [&](const std::string& stem) { return scan_idx(find_idx(directory, stem), cache); };
  return {file(stems.train_images), file(stems.train_labels), file(stems.test_images), file(stems.test_labels)};
}

ImageFiles<SharedArray> load(const Comm& node, const std::filesystem::path& directory,
                             const ImageFiles<std::string>& stems, const ImageFiles<IdxContent>& planned,
                             ContentCache& cache) {
  const auto file = [&](const std::string& stem, const IdxContent& content) -> SharedArray {
    return {node, [&] { return content.bytes(); },
            [&](std::span<std::byte> into) {
              const std::filesystem::path path = find_idx(directory, stem);
              if (read_idx(path, into).digest == content.digest) return;
              forget_idx(path, cache);
              throw Error(cat(path.string(), " has changed since the sweep was planned"));
            }};
  };
  return {file(stems.train_images, planned.train_images), file(stems.train_labels, planned.train_labels),
          file(stems.test_images, planned.test_images), file(stems.test_labels, planned.test_labels)};
}

std::span<const std::uint8_t> as_bytes(const SharedArray& array) {
  return {reinterpret_cast<const std::uint8_t*>(array.bytes().data()), array.bytes().size()};  // NOLINT
}

}  // namespace

ImageFiles<std::string> stems_of(const ImageSet& set) {
  const auto stem = [&](std::string_view part, std::string_view content) { return cat(set.prefix, part, content); };
  constexpr std::string_view kImages = "-images-idx3-ubyte";
  constexpr std::string_view kLabels = "-labels-idx1-ubyte";
  return {stem("train", kImages), stem("train", kLabels), stem(set.test, kImages), stem(set.test, kLabels)};
}

ImageExtent::ImageExtent(const std::filesystem::path& directory, const ImageSet& set, ContentCache& cache)
    : files_(scan(directory, stems_of(set), cache)),
      classes_(set.classes > 0 ? set.classes : 1 + std::max(files_.train_labels.largest, files_.test_labels.largest)) {
  const std::string where = directory.string();
  const std::vector<std::int64_t>& train = files_.train_images.shape;
  const std::vector<std::int64_t>& test = files_.test_images.shape;
  require(train.size() == 3 && test.size() == 3, where, ": the image files need three dimensions each");
  require(train[1] == test[1] && train[2] == test[2], where, ": training images are ", train[1], " x ", train[2],
          ", test images ", test[1], " x ", test[2]);
  require(train[1] * train[2] <= kMostPixels, where, ": images are ", train[1], " x ", train[2], ", expected at most ",
          kMostPixels, " pixels");
  require(std::max(train[0], test[0]) <= kMostImages, where, ": there are ", std::max(train[0], test[0]),
          " images, expected at most ", kMostImages);
  require(files_.train_labels.shape == std::vector{train[0]} && files_.test_labels.shape == std::vector{test[0]}, where,
          ": there are not as many labels as images");
  for (const IdxContent* labels : {&files_.train_labels, &files_.test_labels}) {
    require(labels->largest < classes_, where, ": the ", labels == &files_.train_labels ? "training" : "test",
            " labels hold a label ", int{labels->largest}, "; there are ", classes_, " classes, 0 to ", classes_ - 1);
  }
}

std::string ImageExtent::digest() const {
  Hash digest;
  for (const IdxContent* file :
       {&files_.train_images, &files_.train_labels, &files_.test_images, &files_.test_labels}) {
    digest.add(file->digest);
  }
  return digest.hex();
}

ImageData::ImageData(const Comm& node, const std::filesystem::path& directory, const ImageSet& set,
                     const ImageExtent& planned, ContentCache& cache)
    : files_(load(node, directory, stems_of(set), planned.files(), cache)), mean_(set.mean), deviation_(set.deviation) {
  if (deviation_ == 0.0F) find_moments();
}

std::span<const std::uint8_t> ImageData::train_images() const {
  return as_bytes(files_.train_images);
}
std::span<const std::uint8_t> ImageData::train_labels() const {
  return as_bytes(files_.train_labels);
}
std::span<const std::uint8_t> ImageData::test_images() const {
  return as_bytes(files_.test_images);
}
std::span<const std::uint8_t> ImageData::test_labels() const {
  return as_bytes(files_.test_labels);
}

// By whole numbers, which every rank adds up to the same. A single grey is left as it is.
void ImageData::find_moments() {
  const std::span<const std::uint8_t> pixels = train_images();
  std::uint64_t sum = 0;
  std::uint64_t squares = 0;
  for (const std::uint8_t pixel : pixels) {
    sum += pixel;
    squares += std::uint64_t{pixel} * pixel;
  }
  constexpr double kWhite = 255.0;
  const auto count = static_cast<double>(pixels.size());
  const double mean = static_cast<double>(sum) / count;
  const double variance = static_cast<double>(squares) / count - mean * mean;
  mean_ = static_cast<float>(mean / kWhite);
  deviation_ = variance > 0.0 ? static_cast<float>(std::sqrt(variance) / kWhite) : 1.0F;
}

}  // namespace fleet
