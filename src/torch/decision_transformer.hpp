// Decision Transformers (Chen et al., 2021), for one body or several.
#pragma once

#include "torch/models.hpp"

namespace fleet {

/// Of NetworkShape::Input::kTrajectory. "model.layers" (blocks, default 2), "model.width" (64), "model.heads" (1),
/// "model.feedforward" (4 x width) and "model.activation" ("gelu" or "relu").
[[nodiscard]] std::shared_ptr<const Network> make_decision_transformer(SettingsReader& settings,
                                                                       const NetworkShape& shape);

}  // namespace fleet
