// One policy on disk, with all that is needed to go on from it: its weights and symmetry, and the settings of the cell
// that made it, from which its network and its robot's data can be had again.
#pragma once

#include <filesystem>

#include "io/results.hpp"

namespace fleet {

inline constexpr std::int64_t kModelVersion = 1;

struct SavedModel {
  Settings settings;          ///< every key that applied, defaults included
  std::string data;           ///< names the content of the data it was trained on; empty where nobody noted it
  int robot = kMergedPolicy;  ///< whose it is
  int round = 0;
  int epoch = 0;             ///< local epochs done
  std::int64_t samples = 0;  ///< of the robot's training shard; of a merged policy, of all that went into it
  Companions companions;     ///< what its inputs are prepared with
  SymmetrySpec symmetry;
  ParamVector weights;
};

/// Writes a model's file, complete or not at all; creates its directory. Error if it cannot be written.
void write_model(const std::filesystem::path& path, const SavedModel& model, const Provenance& provenance);

/// Whether the file is a model that write_model() has written, also if other programs have opened it for writing since.
[[nodiscard]] bool is_model_file(const std::filesystem::path& file);
inline constexpr FileKind kModelFile{"saved model", is_model_file};

/// Error naming the file if it is missing, damaged, no model or of another version, if weights are not finite, or if
/// its symmetry does not fit its tensors.
[[nodiscard]] SavedModel read_model(const std::filesystem::path& path);

/// Error naming both files and the first difference unless the models are of the same network (tensors and symmetry)
/// and have the same companions.
void require_same_network(const std::filesystem::path& path, const SavedModel& model,
                          const std::filesystem::path& other_path, const SavedModel& other);
/// The same for what else a symmetry was made from, named by `source`.
void require_same_network(const std::filesystem::path& path, const SavedModel& model, const std::string& source,
                          const SymmetrySpec& symmetry);
/// "observation_mean differs", of the first that does or that only one of them has; "" where they are the same.
[[nodiscard]] std::string first_difference(const Companions& one, const Companions& other);

}  // namespace fleet
