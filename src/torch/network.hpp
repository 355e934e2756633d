// A network as a pure function of its weights: output = forward(weights, input). Seen only inside src/torch.
//
// Architectures are functions of named tensors rather than torch modules, so that any number of robots share one
// Network per rank, a robot's weights stay in its own flat buffer, and mergers can ask for gradients anywhere.
#pragma once

#include <memory>
#include <vector>

#include "base/random.hpp"
#include "model/affine_map.hpp"
#include "model/symmetry.hpp"
#include "torch/torch_pch.hpp"

namespace fleet {

/// Asks forward() for what enters and leaves one affine map; forward() stops there and returns nothing.
struct MapCapture {
  std::size_t map = 0;
  torch::Tensor inputs;   ///< rows x inputs of the map without the ones of its bias
  torch::Tensor outputs;  ///< rows x outputs
};

class Network {
 public:
  Network(SymmetrySpec symmetry, std::vector<AffineMap> maps)
      : symmetry_(std::move(symmetry)), maps_(std::move(maps)) {}
  virtual ~Network() = default;

  [[nodiscard]] const SymmetrySpec& symmetry() const { return symmetry_; }
  [[nodiscard]] const std::shared_ptr<const ParamLayout>& layout() const { return symmetry_.layout(); }
  /// The maps of the network, in the order data passes them; the last one's outputs are the network's.
  [[nodiscard]] const std::vector<AffineMap>& maps() const { return maps_; }

  /// First weights, drawn from `stream` alone.
  virtual void initialize(ParamVector& weights, RandomStream& stream) const = 0;
  /// Outputs (batch x outputs) for inputs (batch x features); `parameters` in the order of the layout.
  [[nodiscard]] virtual torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                                              MapCapture* capture = nullptr) const = 0;

  /// The tensors of `weights` as views into its buffer.
  [[nodiscard]] static std::vector<torch::Tensor> views(const ParamVector& weights);

 private:
  SymmetrySpec symmetry_;
  std::vector<AffineMap> maps_;
};

/// Mean cross-entropy of `network` at `weights` on one batch and its gradient in `gradient` (overwritten).
double cross_entropy_gradient(const Network& network, const ParamVector& weights, const torch::Tensor& inputs,
                              const torch::Tensor& labels, ParamVector& gradient);

}  // namespace fleet
