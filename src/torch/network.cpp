#include "torch/network.hpp"

#include <algorithm>

namespace fleet {

bool Network::is_statistic(std::size_t tensor) const {
  return std::any_of(maps_.begin(), maps_.end(), [tensor](const AffineMap& map) {
    return map.norm && (map.norm->mean == tensor || map.norm->variance == tensor);
  });
}

std::vector<torch::Tensor> Network::views(const ParamVector& weights) {
  // from_blob() has no const form; nothing writes through a view but a training pass, into its robot's own weights.
  auto* base = const_cast<float*>(weights.flat().data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  std::vector<torch::Tensor> tensors;
  for (const TensorSpec& tensor : weights.layout().tensors()) {
    tensors.push_back(torch::from_blob(base + tensor.offset, tensor.shape, torch::kFloat32));
  }
  return tensors;
}

void Network::initialize(ParamVector& weights, RandomStream& stream) const {
  for (std::size_t i = 0; i < fills_.size(); ++i) {
    const Fill& fill = fills_[i];
    for (float& w : weights.tensor(i)) {
      switch (fill.kind) {
        case Fill::Kind::kConstant:
          w = static_cast<float>(fill.size);
          break;
        case Fill::Kind::kUniform:
          w = static_cast<float>(fill.size * (2.0 * stream.uniform() - 1.0));
          break;
        case Fill::Kind::kNormal:
          w = static_cast<float>(fill.size * stream.normal());
          break;
      }
    }
  }
}

}  // namespace fleet
