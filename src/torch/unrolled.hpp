// Recurrent layers over all steps of a sequence.
#pragma once

#include <cstdint>

#include "torch/torch_pch.hpp"

namespace fleet {

enum class Cell : std::uint8_t { kTanh, kRelu, kLstm, kGru };

/// Blocks of a cell's weights, `width` rows each: one, but of an LSTM input, forget, cell and output, of a GRU reset,
/// update and new, as LibTorch has them.
[[nodiscard]] int gates_of(Cell cell);
/// Tensors of a layer's state, lanes x width each: its output, and of an LSTM its cell.
[[nodiscard]] int states_of(Cell cell);

/// Contiguous tensors.
struct CellWeights {
  torch::Tensor input;      // gates * width x features
  torch::Tensor recurrent;  // gates * width x width
  torch::Tensor bias;       // gates * width
  /// Of a GRU, whose reset gate scales what the state contributes, bias and all: as `bias`.
  c10::optional<torch::Tensor> state_bias;
};

/// A layer's outputs (lanes x steps x width) for x (lanes x steps x features). `state`, states_of(cell) tensors, is
/// that before the first step and becomes that after the last; no gradient reaches it.
[[nodiscard]] torch::Tensor unroll(Cell cell, const CellWeights& weights, const torch::Tensor& x, torch::Tensor* state);

/// The same by LibTorch's own layers, on any device.
[[nodiscard]] torch::Tensor unroll_by_library(Cell cell, const CellWeights& weights, const torch::Tensor& x,
                                              torch::Tensor* state);

}  // namespace fleet
