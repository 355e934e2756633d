// A network as a pure function of its weights: outputs = forward(weights, inputs). Seen only inside src/torch.
//
// Architectures are functions of named tensors rather than torch modules, so that any number of robots share one
// Network per rank, a robot's weights stay in its own flat buffer, and mergers can ask for gradients anywhere.
#pragma once

#include <memory>
#include <vector>

#include "base/random.hpp"
#include "model/affine_map.hpp"
#include "model/symmetry.hpp"
#include "torch/blueprint.hpp"
#include "torch/torch_pch.hpp"

namespace fleet {

/// What one pass through a network is for, and what it carries from the last pass and to the next.
struct Pass {
  /// Batch normalisation by the batch itself; its running statistics, in the weights, are updated.
  bool training = false;
  /// Per recurrent layer, its state after the inputs, which no gradient reaches; empty before the first pass of a
  /// sequence (state zero).
  std::vector<torch::Tensor>* state = nullptr;
  /// Where set, of sequences of vectors: which steps count, of samples x steps. What enters a map is kept of these
  /// alone, and the outputs are theirs, in this order. The others are what they look back on, or fill up a batch.
  torch::Tensor steps;
  /// Stop where data enters this affine map; forward() then returns nothing.
  std::optional<std::size_t> stop_before;
  /// What enters it: rows x inputs, without the ones of its bias. A map of patches or steps has many rows per sample.
  torch::Tensor entering;

  /// Where set, zeros are added to what leaves each map, before any norm or nonlinearity, and kept here, in the order
  /// of maps: the gradient with respect to them is that at the maps' outputs.
  std::vector<torch::Tensor>* probes = nullptr;

  /// `outputs` of the next map, probed if asked.
  torch::Tensor probed(const torch::Tensor& outputs) {
    if (probes == nullptr) return outputs;
    probes->push_back(torch::zeros_like(outputs).requires_grad_());
    return outputs + probes->back();
  }
  /// Whether the pass ends before map `map`, which `inputs` enter.
  bool ends_at(std::size_t map, const torch::Tensor& inputs) {
    if (stop_before != map) return false;
    entering = steps.defined() ? inputs.index_select(0, steps) : inputs;
    return true;
  }
  /// Of rows of samples x steps, those that count; all that follows is of these alone.
  torch::Tensor counted(const torch::Tensor& rows) {
    if (!steps.defined()) return rows;
    const torch::Tensor kept = rows.index_select(0, steps);
    steps = torch::Tensor();
    return kept;
  }
};

class Network {
 public:
  explicit Network(Blueprint blueprint)
      : symmetry_(blueprint.layout, std::move(blueprint.groups), std::move(blueprint.actions)),
        maps_(std::move(blueprint.maps)),
        fills_(std::move(blueprint.fills)) {}
  virtual ~Network() = default;

  [[nodiscard]] const SymmetrySpec& symmetry() const { return symmetry_; }
  [[nodiscard]] const std::shared_ptr<const ParamLayout>& layout() const { return symmetry_.layout(); }
  /// The maps of the network, in the order data passes them; the last one's outputs are the network's.
  [[nodiscard]] const std::vector<AffineMap>& maps() const { return maps_; }
  /// Tensors that gradients do not train: running statistics.
  [[nodiscard]] bool is_statistic(std::size_t tensor) const;
  /// Whether one sample depends on those before it in its sequence, through Pass::state.
  [[nodiscard]] virtual bool carries_state() const { return false; }
  /// Samples to pass through the network at once where memory should stay bounded.
  [[nodiscard]] virtual int samples_at_once() const { return 1000; }

  /// First weights, drawn from `stream` alone.
  void initialize(ParamVector& weights, RandomStream& stream) const;
  /// Outputs, one row per sample or per step of one (samples x steps rows, a sample's steps together), for inputs of
  /// samples x features, samples x steps (symbols) or samples x steps x features. `parameters` in the layout's order.
  [[nodiscard]] virtual torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                                              Pass& pass) const = 0;
  [[nodiscard]] torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs) const {
    Pass pass;
    return forward(parameters, inputs, pass);
  }

  /// The tensors of `weights` as views into its buffer.
  [[nodiscard]] static std::vector<torch::Tensor> views(const ParamVector& weights);

 private:
  SymmetrySpec symmetry_;
  std::vector<AffineMap> maps_;
  std::vector<Fill> fills_;
};

}  // namespace fleet
