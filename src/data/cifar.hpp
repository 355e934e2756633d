// Files of CIFAR-10 and CIFAR-100 in their binary version (Krizhevsky, 2009): records of one or two labels and of 32 x
// 32 pixels in three planes, red, green and blue, a byte each; nothing else.
//
// Whatever is wrong with a file is an Error that begins with its name. Called by the worlds that train on images.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "data/content_cache.hpp"

namespace fleet {

inline constexpr int kCifarSide = 32;
inline constexpr int kCifarPlanes = 3;
inline constexpr int kCifarPixels = kCifarPlanes * kCifarSide * kCifarSide;  ///< bytes of an image

/// The labels before an image's pixels: CIFAR-10 has its class; CIFAR-100 has its superclass, then its class.
struct CifarLabels {
  int count = 1;
  int wanted = 0;  ///< which of them is kept
};

/// What reading all of a file has shown.
struct CifarContent {
  std::int64_t images = 0;   ///< at least 1
  std::uint8_t largest = 0;  ///< of the labels wanted
  std::string digest;        ///< of all bytes, compressed or not: sixteen hexadecimal digits
};

[[nodiscard]] CifarContent scan_cifar(const std::filesystem::path& path, CifarLabels labels);
/// The same, by what `cache` remembers of a file that has not changed since it was scanned.
[[nodiscard]] CifarContent scan_cifar(const std::filesystem::path& path, CifarLabels labels, ContentCache& cache);
/// Has the file scanned anew the next time.
void forget_cifar(const std::filesystem::path& path, CifarLabels labels, ContentCache& cache);

/// Reads a label an image into `into`, and kCifarPixels a image into `pixels`, which may be empty: then they are not
/// wanted. Error if the file holds another number of images.
CifarContent read_cifar(const std::filesystem::path& path, CifarLabels labels, std::span<std::byte> into,
                        std::span<std::byte> pixels);

/// The file `name` or `name`.gz in `directory` or, as the archive has it, in `directory`/`folder`. Error that names
/// what was looked for where there is none.
[[nodiscard]] std::filesystem::path find_cifar(const std::filesystem::path& directory, std::string_view folder,
                                               std::string_view name);

}  // namespace fleet
