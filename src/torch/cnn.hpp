// Convolutional networks for images.
#pragma once

#include "torch/models.hpp"

namespace fleet {

/// "model.channels" (of each convolution, default [16, 32]), "model.kernel" (odd, default 3), "model.hidden" (widths
/// after flattening, default [64]) and "model.norm" ("none", "batch" or "layer").
[[nodiscard]] std::shared_ptr<const Network> make_cnn(SettingsReader& settings, const NetworkShape& shape);

}  // namespace fleet
