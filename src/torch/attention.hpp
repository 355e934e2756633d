// Causal blocks of self-attention and a perceptron, each normalised before it (Xiong et al., 2020), that transformers
// for sequences are made of. Seen only inside src/torch.
#pragma once

#include <cstdint>

#include "base/settings.hpp"
#include "torch/blueprint.hpp"
#include "torch/network.hpp"

namespace fleet {

enum class BlockActivation : std::uint8_t { kRelu, kGelu };

struct BlockShape {
  int layers = 2;
  int width = 64;  ///< of the residual stream
  int heads = 4;   ///< divide the width
  int feedforward = 0;
  BlockActivation activation = BlockActivation::kRelu;
};

/// Reads "model.layers" (2), "model.width" (64), "model.heads" (`heads`, divide the width) and "model.feedforward" (4 x
/// width).
[[nodiscard]] BlockShape read_block_shape(SettingsReader& settings, int heads);

/// Adds the blocks "blocks.0" ..., and the norm behind the last. One group permutes the residual stream everywhere. In
/// each block heads permute; within a head the dimensions of queries and keys permute together, those of values on
/// their own; the perceptron's units permute.
void add_blocks(Blueprint& blueprint, const BlockShape& shape, const Features& stream);

/// Goes through a network's maps in order.
struct MapReader {
  const std::vector<AffineMap>& maps;
  const std::vector<torch::Tensor>& parameters;
  Pass& pass;
  std::size_t map = 0;

  /// Whether the pass goes on.
  bool apply(const torch::Tensor& inputs, torch::Tensor& outputs);
  /// `x` normalised, as is done before the next map.
  [[nodiscard]] torch::Tensor normalised(const torch::Tensor& x) const;
};

/// What leaves the blocks and the norm behind them, for what enters them: rows of samples x steps. Undefined if the
/// pass ends within.
[[nodiscard]] torch::Tensor run_blocks(const BlockShape& shape, MapReader& next, torch::Tensor x, std::int64_t samples,
                                       std::int64_t steps);

}  // namespace fleet
