#include "torch/network.hpp"

namespace fleet {

std::vector<torch::Tensor> Network::views(const ParamVector& weights) {
  // from_blob() has no const form; nothing here writes through a view.
  auto* base = const_cast<float*>(weights.flat().data());  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  std::vector<torch::Tensor> tensors;
  for (const TensorSpec& tensor : weights.layout().tensors()) {
    tensors.push_back(torch::from_blob(base + tensor.offset, tensor.shape, torch::kFloat32));
  }
  return tensors;
}

double cross_entropy_gradient(const Network& network, const ParamVector& weights, const torch::Tensor& inputs,
                              const torch::Tensor& labels, ParamVector& gradient) {
  std::vector<torch::Tensor> parameters = Network::views(weights);
  for (torch::Tensor& parameter : parameters) parameter.requires_grad_(true);
  const torch::Tensor loss = torch::nll_loss(torch::log_softmax(network.forward(parameters, inputs), 1), labels);
  const std::vector<torch::Tensor> gradients = torch::autograd::grad({loss}, parameters);
  std::vector<torch::Tensor> targets = Network::views(gradient);
  for (std::size_t i = 0; i < targets.size(); ++i) targets[i].copy_(gradients[i]);
  return loss.item<double>();
}

}  // namespace fleet
