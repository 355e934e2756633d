#include "torch/policy.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

class NetworkRunner final : public PolicyRunner {
 public:
  NetworkRunner(std::shared_ptr<const Network> network, const NetworkShape& shape)
      : network_(std::move(network)),
        sequence_(shape.input == NetworkShape::Input::kSequence),
        seen_(torch::empty({sequence_ && !network_->carries_state() ? shape.steps : 1, shape.inputs})) {}

  void use(const ParamVector& weights) override {
    require(weights.layout().hash() == network_->layout()->hash(),
            "the weights are not those of the network that its settings make");
    parameters_ = Network::views(weights);
  }

  void begin() override {
    state_.clear();
    steps_ = 0;
  }

  void act(std::span<const float> input, std::span<float> output) override {
    const torch::NoGradGuard no_grad;
    see(input);
    const torch::Tensor inputs = seen_.narrow(0, 0, steps_);
    Pass pass{.state = &state_};
    const torch::Tensor acted = network_->forward(parameters_, sequence_ ? inputs.unsqueeze(0) : inputs, pass);
    std::copy_n(acted[-1].contiguous().data_ptr<float>(), output.size(), output.begin());
  }

 private:
  /// The oldest makes room for it.
  void see(std::span<const float> input) {
    const std::int64_t width = seen_.size(1);
    auto* rows = seen_.data_ptr<float>();
    if (steps_ == seen_.size(0)) {
      std::copy(rows + width, rows + seen_.numel(), rows);
    } else {
      ++steps_;
    }
    std::copy(input.begin(), input.end(), rows + (steps_ - 1) * width);
  }

  std::shared_ptr<const Network> network_;
  bool sequence_;
  torch::Tensor seen_;  // the last inputs, in their order; `steps_` of them
  std::int64_t steps_ = 0;
  std::vector<torch::Tensor> state_;
  std::vector<torch::Tensor> parameters_;  // views into the weights in use
};

}  // namespace

std::unique_ptr<PolicyRunner> make_policy_runner(std::shared_ptr<const Network> network, const NetworkShape& shape) {
  return std::make_unique<NetworkRunner>(std::move(network), shape);
}

}  // namespace fleet
