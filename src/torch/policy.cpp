#include "torch/policy.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

class NetworkRunner final : public PolicyRunner {
 public:
  NetworkRunner(std::shared_ptr<const Network> network, int features)
      : network_(std::move(network)), features_(features) {
    require(!network_->carries_state(), "a network that carries state from step to step cannot act by single inputs");
  }

  void use(const ParamVector& weights) override { parameters_ = Network::views(weights); }

  void act(std::span<const float> inputs, std::span<float> outputs) override {
    const torch::NoGradGuard no_grad;
    const auto rows = static_cast<std::int64_t>(inputs.size()) / features_;
    if (!inputs_.defined() || inputs_.size(0) != rows) inputs_ = torch::empty({rows, features_}, torch::kFloat32);
    std::copy(inputs.begin(), inputs.end(), inputs_.data_ptr<float>());
    const torch::Tensor acted = network_->forward(parameters_, inputs_).contiguous();
    std::copy_n(acted.data_ptr<float>(), outputs.size(), outputs.begin());
  }

 private:
  std::shared_ptr<const Network> network_;
  std::int64_t features_;
  std::vector<torch::Tensor> parameters_;  // views into the weights in use
  torch::Tensor inputs_;
};

}  // namespace

std::unique_ptr<PolicyRunner> make_policy_runner(std::shared_ptr<const Network> network, int features) {
  return std::make_unique<NetworkRunner>(std::move(network), features);
}

}  // namespace fleet
