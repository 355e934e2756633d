// Causal transformers for sequences.
#pragma once

#include "torch/models.hpp"

namespace fleet {

/// "model.layers" (blocks, default 2), "model.width" (of the residual stream, default 64), "model.heads" (a divisor of
/// it, default 4) and "model.feedforward" (width, default 4 x width).
[[nodiscard]] std::shared_ptr<const Network> make_transformer(SettingsReader& settings, const NetworkShape& shape);

}  // namespace fleet
