// Residual networks for images.
#pragma once

#include "torch/models.hpp"

namespace fleet {

/// He et al. (2016) for small images: a convolution, then stages of basic blocks, then the mean over pixels and a
/// linear layer. "model.channels" (of each stage, default [16, 32, 64]), "model.blocks" (of a stage, default 1),
/// "model.norm"
/// ("batch", "group", "layer" or "none", default "batch") and, with "group", "model.norm_groups" (default 8, divides
/// all channels). From one stage to the next images are halved.
[[nodiscard]] std::shared_ptr<const Network> make_resnet(SettingsReader& settings, const NetworkShape& shape);

}  // namespace fleet
