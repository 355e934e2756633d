// A convolution as an affine map. Seen only inside src/torch.
#pragma once

#include "torch/torch_pch.hpp"

namespace fleet {

/// The patches of `image` (samples x channels x height x width) under a square kernel of odd `side`, which pads by half
/// of it: one a row, in the order of the last three axes of the convolution's weight.
[[nodiscard]] inline torch::Tensor patches_of(const torch::Tensor& image, std::int64_t side, std::int64_t stride = 1) {
  const std::int64_t padding = side / 2;
  const torch::Tensor columns = torch::im2col(image, {side, side}, {1, 1}, {padding, padding}, {stride, stride});
  return columns.transpose(1, 2).reshape({-1, columns.size(1)});
}

}  // namespace fleet
