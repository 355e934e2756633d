#include "images/images.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fleet {
namespace {

SharedArray load(const Comm& node, const ImageFiles& files, Half half, ContentCache& cache) {
  const auto images = static_cast<std::size_t>(files.images(half));
  const std::size_t bytes = images * (1 + static_cast<std::size_t>(files.extent().features()));
  return {node, [&] { return bytes; },
          [&](std::span<std::byte> into) { files.read(half, into.first(images), into.subspan(images), cache); }};
}

}  // namespace

void ImageFiles::check_labels(const std::filesystem::path& directory, Half half, int largest) const {
  require(largest < extent_.classes, directory.string(), ": the ", half == Half::kTrain ? "training" : "test",
          " labels hold a label ", largest, "; there are ", extent_.classes, " classes, 0 to ", extent_.classes - 1);
}

std::unique_ptr<ImageFiles> open_images(const ImageSet& set, const std::filesystem::path& directory,
                                        ContentCache& cache) {
  if (const auto* idx = std::get_if<IdxNames>(&set.files)) return open_idx_images(*idx, set.classes, directory, cache);
  return open_cifar_images(std::get<CifarNames>(set.files), set.classes, directory, cache);
}

ImageData::ImageData(const Comm& node, const ImageSet& set, const ImageFiles& files, ContentCache& cache)
    : train_{load(node, files, Half::kTrain, cache), static_cast<std::size_t>(files.images(Half::kTrain))},
      test_{load(node, files, Half::kTest, cache), static_cast<std::size_t>(files.images(Half::kTest))} {
  const auto channels = static_cast<std::ptrdiff_t>(files.extent().channels);
  mean_.assign(set.mean.begin(), set.mean.begin() + channels);
  deviation_.assign(set.deviation.begin(), set.deviation.begin() + channels);
  if (deviation_.front() == 0.0F) find_moments(files.extent());
}

std::span<const std::uint8_t> ImageData::labels(Half half) const {
  const std::span<const std::byte> bytes = part(half).bytes.bytes();
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), part(half).images};  // NOLINT
}

std::span<const std::uint8_t> ImageData::pixels(Half half) const {
  const std::span<const std::byte> bytes = part(half).bytes.bytes().subspan(part(half).images);
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};  // NOLINT
}

// By whole numbers, which every rank adds up to the same. A single shade is left as it is.
void ImageData::find_moments(const ImageExtent& extent) {
  constexpr double kWhite = 255.0;
  const std::span<const std::uint8_t> pixels = this->pixels(Half::kTrain);
  const auto plane = static_cast<std::size_t>(extent.height) * static_cast<std::size_t>(extent.width);
  const auto channels = static_cast<std::size_t>(extent.channels);
  for (std::size_t channel = 0; channel < channels; ++channel) {
    std::uint64_t sum = 0;
    std::uint64_t squares = 0;
    for (std::size_t at = channel * plane; at < pixels.size(); at += channels * plane) {
      for (const std::uint8_t pixel : pixels.subspan(at, plane)) {
        sum += pixel;
        squares += std::uint64_t{pixel} * pixel;
      }
    }
    const auto count = static_cast<double>(pixels.size()) / static_cast<double>(channels);
    const double mean = static_cast<double>(sum) / count;
    const double variance = static_cast<double>(squares) / count - mean * mean;
    mean_[channel] = static_cast<float>(mean / kWhite);
    deviation_[channel] = variance > 0.0 ? static_cast<float>(std::sqrt(variance) / kWhite) : 1.0F;
  }
}

}  // namespace fleet
