#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "images/images.hpp"

namespace fleet {
namespace {

constexpr std::int64_t kMostPixels = std::int64_t{1} << 24U;  // of an image: 4096 x 4096
constexpr std::int64_t kMostImages = std::numeric_limits<std::int32_t>::max();

/// A file, as it was when it was scanned.
struct IdxFile {
  std::string stem;
  IdxPart part;
  IdxContent content;
};

class IdxImages final : public ImageFiles {
 public:
  IdxImages(const IdxNames& names, int classes, const std::filesystem::path& directory, ContentCache& cache)
      : directory_(directory) {
    const auto open = [&](std::string_view half, std::string_view what, IdxPart part) {
      IdxFile file{.stem = cat(names.prefix, half, what), .part = part, .content = {}};
      file.content = scan_idx(find_idx(directory, file.stem), cache, part);
      return file;
    };
    const auto open_half = [&](std::string_view half) {
      const std::string_view labels = names.labels == IdxPart::kBytes ? "-labels-idx1-ubyte" : "-labels-idx2-int";
      return Files{open(half, "-images-idx3-ubyte", IdxPart::kBytes), open(half, labels, names.labels)};
    };
    train_ = open_half("train");
    test_ = open_half(names.test);
    check_shapes();
    const std::vector<std::int64_t>& shape = train_.images.content.shape;
    const int largest = std::max(train_.labels.content.largest, test_.labels.content.largest);
    extent_ = {.train = shape[0],
               .test = test_.images.content.shape[0],
               .height = static_cast<int>(shape[1]),
               .width = static_cast<int>(shape[2]),
               .classes = classes > 0 ? classes : 1 + largest};
    check_labels(directory, Half::kTrain, train_.labels.content.largest);
    check_labels(directory, Half::kTest, test_.labels.content.largest);
    Hash digest;
    for (const IdxFile* file : {&train_.images, &train_.labels, &test_.images, &test_.labels}) {
      digest.add(file->content.digest);
    }
    extent_.digest = digest.hex();
  }

  void read(Half half, std::span<std::byte> labels, std::span<std::byte> pixels, ContentCache& cache) const override {
    const Files& files = half == Half::kTrain ? train_ : test_;
    const auto fill = [&](const IdxFile& file, std::span<std::byte> into) {
      const std::filesystem::path path = find_idx(directory_, file.stem);
      if (read_idx(path, into, file.part).digest == file.content.digest) return;
      forget_idx(path, cache, file.part);
      throw Error(cat(path.string(), " has changed since the sweep was planned"));
    };
    fill(files.labels, labels);
    if (!pixels.empty()) fill(files.images, pixels);
  }

 private:
  struct Files {
    IdxFile images;
    IdxFile labels;
  };

  void check_shapes() const {
    const std::string where = directory_.string();
    const std::vector<std::int64_t>& train = train_.images.content.shape;
    const std::vector<std::int64_t>& test = test_.images.content.shape;
    require(train.size() == 3 && test.size() == 3, where, ": the image files need three dimensions each");
    require(train[1] == test[1] && train[2] == test[2], where, ": training images are ", train[1], " x ", train[2],
            ", test images ", test[1], " x ", test[2]);
    require(train[1] * train[2] <= kMostPixels, where, ": images are ", train[1], " x ", train[2],
            ", expected at most ", kMostPixels, " pixels");
    require(std::max(train[0], test[0]) <= kMostImages, where, ": there are ", std::max(train[0], test[0]),
            " images, expected at most ", kMostImages);
    require(train_.labels.content.shape == std::vector{train[0]} && test_.labels.content.shape == std::vector{test[0]},
            where, ": there are not as many labels as images");
  }

  std::filesystem::path directory_;
  Files train_;
  Files test_;
};

}  // namespace

std::unique_ptr<ImageFiles> open_idx_images(const IdxNames& names, int classes, const std::filesystem::path& directory,
                                            ContentCache& cache) {
  return std::make_unique<IdxImages>(names, classes, directory, cache);
}

}  // namespace fleet
