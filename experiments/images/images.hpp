// Data sets in MNIST's format: four IDX files of images and labels, what is in them, and their values in shared memory.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "comm/shared_array.hpp"
#include "data/content_cache.hpp"
#include "data/idx.hpp"

namespace fleet {

/// A published data set, or one of the user's own.
struct ImageSet {
  std::string_view name;
  int classes = 0;                 ///< 0: as many as there are labels
  float mean = 0.0F;               ///< of a pixel over the training images, and its deviation;
  float deviation = 0.0F;          ///< 0: found in the files
  std::string_view prefix;         ///< of the files' names
  std::string_view test = "t10k";  ///< what they call the test set
};
inline constexpr std::array kImageSets = {
    ImageSet{"mnist", 10, 0.1307F, 0.3081F},
    ImageSet{"fashion-mnist", 10, 0.2860F, 0.3530F},
    ImageSet{"kmnist", 10},
    ImageSet{.name = "emnist-balanced", .prefix = "emnist-balanced-", .test = "test"},
    ImageSet{.name = "emnist-byclass", .prefix = "emnist-byclass-", .test = "test"},
    ImageSet{.name = "emnist-bymerge", .prefix = "emnist-bymerge-", .test = "test"},
    ImageSet{.name = "emnist-digits", .prefix = "emnist-digits-", .test = "test"},
    ImageSet{.name = "emnist-letters", .prefix = "emnist-letters-", .test = "test"},
    ImageSet{.name = "emnist-mnist", .prefix = "emnist-mnist-", .test = "test"},
    ImageSet{.name = "idx"},
};

/// The four files of a data set.
template <class File>
struct ImageFiles {
  File train_images;
  File train_labels;
  File test_images;
  File test_labels;
};
/// Their names, without ".gz".
[[nodiscard]] ImageFiles<std::string> stems_of(const ImageSet& set);

/// What is in the files, all of which have been read, and that it goes together. Error if it does not.
class ImageExtent {
 public:
  ImageExtent(const std::filesystem::path& directory, const ImageSet& set, ContentCache& cache);

  [[nodiscard]] const ImageFiles<IdxContent>& files() const { return files_; }
  [[nodiscard]] std::int64_t train() const { return files_.train_images.shape[0]; }
  [[nodiscard]] std::int64_t test() const { return files_.test_images.shape[0]; }
  [[nodiscard]] int height() const { return static_cast<int>(files_.train_images.shape[1]); }
  [[nodiscard]] int width() const { return static_cast<int>(files_.train_images.shape[2]); }
  [[nodiscard]] int features() const { return height() * width(); }
  [[nodiscard]] int classes() const { return classes_; }
  /// By which one data set is told from another.
  [[nodiscard]] std::string digest() const;

 private:
  ImageFiles<IdxContent> files_;
  int classes_;
};

/// The files of one data set in shared memory, once per node.
class ImageData {
 public:
  /// Error unless they hold what `planned` says. Collective over `node`.
  ImageData(const Comm& node, const std::filesystem::path& directory, const ImageSet& set, const ImageExtent& planned,
            ContentCache& cache);

  [[nodiscard]] std::span<const std::uint8_t> train_images() const;  ///< a byte a pixel
  [[nodiscard]] std::span<const std::uint8_t> train_labels() const;
  [[nodiscard]] std::span<const std::uint8_t> test_images() const;
  [[nodiscard]] std::span<const std::uint8_t> test_labels() const;
  /// Of a pixel over the training images, of 1 for white.
  [[nodiscard]] float mean() const { return mean_; }
  [[nodiscard]] float deviation() const { return deviation_; }

 private:
  void find_moments();

  ImageFiles<SharedArray> files_;
  float mean_;
  float deviation_;
};

}  // namespace fleet
