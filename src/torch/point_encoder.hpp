// Clouds of points as vectors: the same layers for every point, then the largest value that each feature has over the
// points (Qi et al., "PointNet", CVPR 2017). The order of the points does not matter. Seen only inside src/torch.
#pragma once

#include <vector>

#include "torch/models.hpp"
#include "torch/network.hpp"

namespace fleet {

class PointEncoder {
 public:
  /// For inputs that begin with shape.points points of shape.channels numbers each; what follows them is seen by every
  /// point's layers. At least one width.
  PointEncoder(const NetworkShape& shape, std::vector<int> widths) : shape_(shape), widths_(std::move(widths)) {}

  /// Reads "model.points", the widths of its layers.
  [[nodiscard]] static PointEncoder read(SettingsReader& settings, const NetworkShape& shape);

  /// Adds its layers to a blueprint that has none yet. The features that it gives: a group of their own, which passes
  /// the maximum unchanged.
  [[nodiscard]] Features add_to(Blueprint& blueprint) const;
  /// How many maps, which are the network's first, each of a weight and a bias.
  [[nodiscard]] std::size_t maps() const { return widths_.size(); }

  /// rows x inputs -> rows x features. Nothing if the pass ends before one of its maps; a point is a row there.
  [[nodiscard]] torch::Tensor encode(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                                     Pass& pass) const;

 private:
  NetworkShape shape_;
  std::vector<int> widths_;
};

}  // namespace fleet
