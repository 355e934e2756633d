// Multilayer perceptrons.
#pragma once

#include "torch/models.hpp"

namespace fleet {

/// "model.hidden" (widths, default [128, 128]) and "model.activation" ("relu" or "tanh").
[[nodiscard]] std::shared_ptr<const Network> make_mlp(SettingsReader& settings, const NetworkShape& shape);

}  // namespace fleet
