// Weights that are multiplied at every step of a sequence, laid out once for all steps.
#pragma once

#include <vector>

#include "torch/torch_pch.hpp"

namespace fleet {

struct PackedProduct {
  std::int64_t lanes;
  std::int64_t depth;
  std::int64_t columns;
  const float* from;
  const float* weights;
  float* to;
};

using AddPackedProduct = void (*)(const PackedProduct&);

/// The same product by every set of instructions that this processor has, the fastest first.
[[nodiscard]] const std::vector<AddPackedProduct>& packed_products();

/// A copy of weights (depth x columns) in the order in which products read them. BLAS makes such a copy in every
/// product, which at a robot's few lanes costs more than the product.
class PackedWeights {
 public:
  explicit PackedWeights(const torch::Tensor& weights, AddPackedProduct add = packed_products().front());

  /// to (lanes x columns) += from (lanes x depth) times the weights. Both are contiguous floats on the processor; else
  /// Error. By packed weights a lane's sums have the same bits whatever lanes stand beside it. Where the processor has
  /// no wide vectors, or LibTorch several threads, many lanes go by its own product, which is faster then.
  void add_product(const torch::Tensor& from, torch::Tensor& to) const;

 private:
  AddPackedProduct add_;
  std::int64_t columns_;
  torch::Tensor weights_;
  torch::Tensor panels_;  // panels x depth x columns of a panel, zeros beyond the last column
};

}  // namespace fleet
