// A cell's merged weights, read back from a file of results.
//
// Hides where in the file they lie. Called by what uses a policy after its sweep is over.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/settings.hpp"
#include "model/param_layout.hpp"

namespace fleet {

struct StoredWeights {
  struct Tensor {
    std::vector<std::int64_t> shape;
    std::vector<float> values;
  };
  std::string name;                       ///< "cell ID of FILE", for errors
  Settings settings;                      ///< of the cell, defaults included: what its network can be made from again
  std::map<std::string, Tensor> tensors;  ///< by name

  /// Laid out as a network has them. Error naming a tensor that is missing or of another shape.
  [[nodiscard]] ParamVector arrange(std::shared_ptr<const ParamLayout> layout) const;
};

/// Those of cell `id` in the results of one cell or of a sweep; with an empty `id`, those of the only cell that has
/// any. Error, with the cells that could be meant, if there are none; Error if the file is damaged.
[[nodiscard]] StoredWeights read_weights(const std::filesystem::path& file, const std::string& id);

}  // namespace fleet
