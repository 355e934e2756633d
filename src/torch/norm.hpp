// Normalisation layers. Seen only inside src/torch.
#pragma once

#include <array>
#include <string_view>

#include "torch/blueprint.hpp"
#include "torch/torch_pch.hpp"

namespace fleet {

inline constexpr std::array<std::pair<std::string_view, NormKind>, 3> kNorms{
    {{"none", NormKind::kNone}, {"batch", NormKind::kBatch}, {"layer", NormKind::kLayer}}};

/// Features on axis 1. In training by the batch's own statistics, which the running ones then follow, if the batch has
/// more than one value a feature; else by the running ones.
torch::Tensor batch_norm(const torch::Tensor& values, const std::vector<torch::Tensor>& parameters,
                         const BatchNorm& norm, bool training);
/// Over all but axis 0 of each group of consecutive features; scale and shift, at positions `scale` and `scale` + 1,
/// belong to axis 1.
torch::Tensor group_norm(const torch::Tensor& values, std::int64_t groups, const std::vector<torch::Tensor>& parameters,
                         std::size_t scale);
/// The same with a single group.
torch::Tensor layer_norm(const torch::Tensor& values, const std::vector<torch::Tensor>& parameters, std::size_t scale);

}  // namespace fleet
