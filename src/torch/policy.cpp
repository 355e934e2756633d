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
        sequence_(shape.input == NetworkShape::Input::kSequence || shape.input == NetworkShape::Input::kTrajectory),
        seen_(torch::empty({1, sequence_ && !network_->carries_state() ? shape.steps : 1, shape.inputs})) {}

  void use(const ParamVector& weights) override {
    require(weights.layout().hash() == network_->layout()->hash(),
            "the weights are not those of the network that its settings make");
    parameters_ = Network::views(weights);
  }

  void begin(int lanes) override {
    if (seen_.size(0) != lanes) seen_ = torch::empty({lanes, seen_.size(1), seen_.size(2)});
    state_.clear();
    steps_ = 0;
  }

  void act(std::span<const float> input, std::span<float> output) override {
    const torch::NoGradGuard no_grad;
    see(input);
    Pass pass{.state = &state_};
    torch::Tensor acted =
        network_->forward(parameters_, sequence_ ? seen_.narrow(1, 0, steps_) : seen_.select(1, 0), pass);
    if (sequence_) acted = acted.view({seen_.size(0), -1, acted.size(1)}).select(1, -1);
    const torch::Tensor last = acted.contiguous();
    std::copy_n(last.data_ptr<float>(), output.size(), output.begin());
  }

 private:
  /// The oldest makes room for it.
  void see(std::span<const float> input) {
    const std::int64_t width = seen_.size(2);
    const std::int64_t lane = seen_.size(1) * width;
    const bool full = steps_ == seen_.size(1);
    if (!full) ++steps_;
    for (std::int64_t i = 0; i < seen_.size(0); ++i) {
      auto* rows = seen_.data_ptr<float>() + i * lane;
      if (full) std::copy(rows + width, rows + lane, rows);
      std::copy_n(input.begin() + i * width, width, rows + (steps_ - 1) * width);
    }
  }

  std::shared_ptr<const Network> network_;
  bool sequence_;
  torch::Tensor seen_;  // of each lane the last inputs, in their order; `steps_` of them
  std::int64_t steps_ = 0;
  std::vector<torch::Tensor> state_;
  std::vector<torch::Tensor> parameters_;  // views into the weights in use
};

}  // namespace

std::unique_ptr<PolicyRunner> make_policy_runner(std::shared_ptr<const Network> network, const NetworkShape& shape) {
  return std::make_unique<NetworkRunner>(std::move(network), shape);
}

}  // namespace fleet
