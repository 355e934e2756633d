// Data sets of images with a class each: what is in their files, whatever the format, and their values in shared
// memory.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "comm/shared_array.hpp"
#include "data/cifar.hpp"
#include "data/content_cache.hpp"
#include "data/idx.hpp"

namespace fleet {

/// Four IDX files, of images and labels.
struct IdxNames {
  std::string_view prefix = {};      ///< of the files' names
  std::string_view test = "t10k";    ///< what they call the test set
  IdxPart labels = IdxPart::kBytes;  ///< where labels are
};
/// Files of CIFAR's binary version.
struct CifarNames {
  std::string_view folder;  ///< in the archive
  std::span<const std::string_view> train;
  std::string_view test;
  CifarLabels labels;
};

/// A published data set, or one of the user's own.
struct ImageSet {
  std::string_view name;       ///< among those of its world
  std::string_view published;  ///< `fleet data fetch` knows it by this name; empty: it does not
  std::variant<IdxNames, CifarNames> files;
  int classes = 0;  ///< 0: as many as there are labels
  /// Of a pixel over the training images, of 1 for white, channel by channel; deviation 0: found in the files.
  std::array<float, 3> mean = {};
  std::array<float, 3> deviation = {};
};

/// What a data set holds.
struct ImageExtent {
  std::int64_t train = 0;
  std::int64_t test = 0;
  int channels = 1;
  int height = 0;
  int width = 0;
  int classes = 0;
  std::string digest;  ///< by which one data set is told from another
  [[nodiscard]] int features() const { return channels * height * width; }
};

enum class Half { kTrain, kTest };

/// The files of a data set, all of which have been read and go together.
class ImageFiles {
 public:
  virtual ~ImageFiles() = default;
  [[nodiscard]] const ImageExtent& extent() const { return extent_; }
  [[nodiscard]] std::int64_t images(Half half) const { return half == Half::kTrain ? extent_.train : extent_.test; }
  /// One half: a byte a label and a byte a pixel, channel by channel; no pixels where there is no room for any. Error
  /// if the files have changed.
  virtual void read(Half half, std::span<std::byte> labels, std::span<std::byte> pixels, ContentCache& cache) const = 0;

 protected:
  /// Error unless all labels of `half`, of which `largest` is the largest, are classes.
  void check_labels(const std::filesystem::path& directory, Half half, int largest) const;
  ImageExtent extent_;
};

/// Error if they are not there, damaged, or do not go together.
[[nodiscard]] std::unique_ptr<ImageFiles> open_images(const ImageSet& set, const std::filesystem::path& directory,
                                                      ContentCache& cache);
[[nodiscard]] std::unique_ptr<ImageFiles> open_idx_images(const IdxNames& names, int classes,
                                                          const std::filesystem::path& directory, ContentCache& cache);
[[nodiscard]] std::unique_ptr<ImageFiles> open_cifar_images(const CifarNames& names, int classes,
                                                            const std::filesystem::path& directory,
                                                            ContentCache& cache);

/// A data set in shared memory, once per node.
class ImageData {
 public:
  /// Error if the files have changed. Collective over `node`.
  ImageData(const Comm& node, const ImageSet& set, const ImageFiles& files, ContentCache& cache);

  [[nodiscard]] std::span<const std::uint8_t> labels(Half half) const;
  [[nodiscard]] std::span<const std::uint8_t> pixels(Half half) const;  ///< a byte each
  /// Of a pixel over the training images, of 1 for white; one entry a channel.
  [[nodiscard]] const std::vector<float>& mean() const { return mean_; }
  [[nodiscard]] const std::vector<float>& deviation() const { return deviation_; }

 private:
  struct Part {
    SharedArray bytes;  ///< labels, then pixels
    std::size_t images;
  };
  [[nodiscard]] const Part& part(Half half) const { return half == Half::kTrain ? train_ : test_; }
  void find_moments(const ImageExtent& extent);

  Part train_;
  Part test_;
  std::vector<float> mean_;
  std::vector<float> deviation_;
};

}  // namespace fleet
