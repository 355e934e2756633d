// Multilayer perceptrons.
#pragma once

#include "torch/models.hpp"

namespace fleet {

/// "model.hidden" (widths, by default those of `shape`) and "model.activation" ("relu" or "tanh").
[[nodiscard]] std::shared_ptr<const Network> make_mlp(SettingsReader& settings, const NetworkShape& shape);

}  // namespace fleet
