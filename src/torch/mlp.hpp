// Multilayer perceptrons.
#pragma once

#include <vector>

#include "torch/models.hpp"

namespace fleet {

/// "model.hidden" (widths, by default those of `shape`) and "model.activation" ("relu" or "tanh").
[[nodiscard]] std::shared_ptr<const Network> make_mlp(SettingsReader& settings, const NetworkShape& shape);
/// Of these widths, inputs and outputs among them, with tanh.
[[nodiscard]] std::shared_ptr<const Network> make_tanh_mlp(const std::vector<int>& widths);

}  // namespace fleet
