// The laws of policies in closed loop: acting step by step is what the network says of the whole sequence.
#include "torch/policy.hpp"

#include <gtest/gtest.h>

#include <optional>

#include "network_cases.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

class EveryPolicy : public testing::TestWithParam<NetworkCase> {
 protected:
  void SetUp() override {
    SettingsReader reader(GetParam().settings);
    network_ = make_network(reader, GetParam().shape);
    weights_.emplace(network_->layout());
    RandomStream stream(1, Purpose::kInitialization);
    network_->initialize(*weights_, stream);
    torch::manual_seed(2);
    seen_ = torch::randn({kSteps, GetParam().shape.inputs});
    runner_ = make_policy_runner(network_, GetParam().shape);
    runner_->use(*weights_);
    runner_->begin();
  }
  std::vector<float> act(std::int64_t step) {
    const torch::Tensor input = seen_[step].contiguous();
    std::vector<float> action(static_cast<std::size_t>(GetParam().shape.outputs));
    runner_->act({input.data_ptr<float>(), static_cast<std::size_t>(input.numel())}, action);
    return action;
  }
  /// What the network says of the steps [first, last), of the last one.
  torch::Tensor said(std::int64_t first, std::int64_t last) const {
    const torch::NoGradGuard no_grad;
    const torch::Tensor steps = seen_.narrow(0, first, last - first);
    const bool sequence = GetParam().shape.input == NetworkShape::Input::kSequence;
    return network_->forward(Network::views(*weights_), sequence ? steps.unsqueeze(0) : steps)[-1];
  }
  static void expect_near(const std::vector<float>& action, const torch::Tensor& wanted) {
    for (std::size_t i = 0; i < action.size(); ++i) {
      EXPECT_NEAR(action[i], wanted[static_cast<std::int64_t>(i)].item<float>(), 1e-5F);
    }
  }

  static constexpr std::int64_t kSteps = 11;  // more than a window
  std::shared_ptr<const Network> network_;
  std::optional<ParamVector> weights_;
  torch::Tensor seen_;
  std::unique_ptr<PolicyRunner> runner_;
};

TEST_P(EveryPolicy, an_episode_starts_from_nothing) {
  const std::vector<float> first = act(0);
  expect_near(first, said(0, 1));
  act(1);
  runner_->begin();
  EXPECT_EQ(act(0), first);
}

using RecurrentPolicy = EveryPolicy;

TEST_P(RecurrentPolicy, carries_its_state_through_the_episode) {
  for (std::int64_t step = 0; step < kSteps; ++step) expect_near(act(step), said(0, step + 1));
}

using TransformerPolicy = EveryPolicy;

TEST_P(TransformerPolicy, sees_the_last_steps_of_the_episode) {
  const std::int64_t window = GetParam().shape.steps;
  for (std::int64_t step = 0; step < kSteps; ++step) {
    expect_near(act(step), said(std::max<std::int64_t>(0, step + 1 - window), step + 1));
  }
}

INSTANTIATE_TEST_SUITE_P(Perceptrons, EveryPolicy, kPerceptrons, name_of);
INSTANTIATE_TEST_SUITE_P(Recurrent, EveryPolicy, kRecurrentPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(Transformers, EveryPolicy, kTransformerPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(Recurrent, RecurrentPolicy, kRecurrentPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(Transformers, TransformerPolicy, kTransformerPolicies, name_of);

}  // namespace
}  // namespace fleet
