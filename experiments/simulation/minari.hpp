// Minari's datasets on disk: a folder NAME-vN with data/main_data.hdf5, which is what demonstrations.hpp reads and
// writes, and data/metadata.json beside it, which says what Minari wants to know. Knows versions 0.4 and 0.5.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "simulation/demonstrations.hpp"

namespace fleet::simulation {

/// The HDF5 file that a path stands for: itself, or that of the dataset, or of the data folder, which it names. Error
/// for any other folder.
[[nodiscard]] std::filesystem::path minari_file(const std::filesystem::path& path);

/// What a metadata.json says of the HDF5 file that it lies beside; nothing where there is none.
struct MinariTotals {
  std::optional<std::int64_t> episodes;
  std::optional<std::int64_t> steps;
};
/// Error if it is not JSON, or its numbers are none.
[[nodiscard]] MinariTotals read_minari_totals(const std::filesystem::path& file);

/// Whether what is to be written there is a dataset, not a file: the path is a folder, or ends in a slash.
[[nodiscard]] bool names_minari_dataset(const std::filesystem::path& path);
/// Makes the folder. ConfigError for a name that Minari does not take, and for a folder that holds anything but a
/// dataset that this program wrote; Error if it cannot be made or written.
void prepare_minari_dataset(const std::filesystem::path& folder);
/// Error if it cannot be written. With MINARI_DATASETS_PATH the folder's parent, minari.load_dataset(NAME) opens it.
void write_minari_dataset(const std::filesystem::path& folder, const DemonstrationSet& set, const Sizes& sizes);

/// What commands leave: a file, or a dataset where the path names one. ConfigError if something else than
/// demonstrations of this program is there; Error if nothing can be written.
void prepare_demonstrations(const std::filesystem::path& path);
void write_recording(const std::filesystem::path& path, const DemonstrationSet& set, const Sizes& sizes);

}  // namespace fleet::simulation
