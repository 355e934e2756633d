// Models of PyTorch's world as a fleet: weights from safetensors files, symmetry from a description of their network.
#pragma once

#include <filesystem>
#include <vector>

#include "comm/comm.hpp"
#include "io/network_file.hpp"
#include "io/replaceable.hpp"
#include "io/weight_files.hpp"
#include "merge/merger.hpp"

namespace fleet {

/// What metadata of files say of models that this program has exported, and of what it has merged.
inline constexpr const char* kSamplesEntry = "fleet.samples";
inline constexpr const char* kSeedEntry = "fleet.seed";
inline constexpr const char* kRoundEntry = "fleet.round";
inline constexpr const char* kMadeByEntry = "fleet.made_by";

/// Whether this program has written the safetensors file.
[[nodiscard]] bool is_own_weights(const std::filesystem::path& file);
inline constexpr FileKind kOwnWeights{"merged model", is_own_weights};

/// The files; ConfigError naming what is wrong with them, or that PyTorch's own files are read by its package only.
[[nodiscard]] std::vector<WeightFiles> open_weights(const std::vector<std::filesystem::path>& paths);

/// ConfigError if what is written to `target` would go over files that this program has not written: a file, or, of
/// models in folders, a folder that is not empty.
void require_room(const std::filesystem::path& target, const WeightFiles& like);

class ForeignModels {
 public:
  /// Error naming files and tensors if a model is not of this network. Every rank reads the models of its own rows.
  /// Collective.
  ForeignModels(const std::vector<WeightFiles>& models, NetworkFile network, const Comm& comm);

  [[nodiscard]] const SymmetrySpec& symmetry() const { return network_.symmetry; }
  /// Row i of the whole fleet is the i-th model. Samples, seed and round are those that the files know of, else 1, 0
  /// and 0; `weights`, if there are any, stand for the samples.
  [[nodiscard]] MergeInput input(const std::vector<double>& weights) const;
  /// Of this rank's rows, by their place among them.
  [[nodiscard]] const ParamVector& weights(std::size_t row) const { return weights_[row]; }

  /// Writes `merged` as the files of `like`, of the same network, with all that is no weight; the names of tensors of
  /// whole numbers that differ between the models, which are taken from `like`.
  std::vector<std::string> write(const ParamVector& merged, const WeightFiles& like,
                                 const std::filesystem::path& target, const Comm& alone) const;

 private:
  [[nodiscard]] std::size_t place_of(const std::string& tensor) const;

  const std::vector<WeightFiles>& models_;
  NetworkFile network_;
  int begin_ = 0;
  std::vector<ParamVector> weights_;
};

}  // namespace fleet
