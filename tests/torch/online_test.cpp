// Robots that learn from episodes of their own: the policy gradient, and what a robot remembers.
#include "torch/online.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

#include "awake.hpp"
#include "base/error.hpp"
#include "resumed.hpp"
#include "torch/experience.hpp"
#include "torch/random_search.hpp"

namespace fleet {
namespace {

constexpr std::array<double, 3> kWorth = {0.0, 1.0, 0.3};  // of the arms of a bandit

NetworkShape bandit_shape(int outputs) {
  return {.inputs = 1, .outputs = outputs};
}

std::shared_ptr<const Network> linear(int outputs) {
  const Settings settings{{"model.hidden", Setting{Value(Value::List{}), {}}}};
  SettingsReader reader(settings);
  return make_network(reader, bandit_shape(outputs));
}

/// An episode is one pull of an arm.
std::vector<Played> pull(int count, const Act& act) {
  const auto pulls = static_cast<std::size_t>(count);
  std::vector<float> actions(3 * pulls);
  act(std::vector<float>(pulls, 1.0F), actions);
  std::vector<Played> played;
  for (std::size_t i = 0; i < pulls; ++i) {
    const std::span<float> action = std::span(actions).subspan(3 * i, 3);
    const auto arm = std::ranges::max_element(action) - action.begin();
    played.push_back({{static_cast<float>(kWorth[static_cast<std::size_t>(arm)])}});
  }
  return played;
}

/// A bandit with three arms: an episode is one pull, which brings what the arm is worth.
OnlineProblem bandit(OnlineOptions online, double rate = 0.1) {
  TrainingOptions training;
  training.optimizer.learning_rate = rate;
  return {.robots = 2,
          .network = linear(3),
          .shape = bandit_shape(3),
          .chooses = true,
          .training = training,
          .online = online,
          .play = [](int, std::uint64_t, int count, const Act& act) { return pull(count, act); },
          .trials = {},
          .metrics = {"return"},
          .test =
              [](const ParamVector&, int) {
                return std::vector<Score>{{0.0, 1.0}};
              }};
}

/// Shares of the arms that a network of `weights` pulls.
std::vector<double> shares(const Network& network, const ParamVector& weights) {
  const torch::Tensor outputs = network.forward(Network::views(weights), torch::ones({1, 1}));
  const torch::Tensor shares = torch::softmax(outputs[0].to(torch::kFloat64), 0).contiguous();
  return {shares.data_ptr<double>(), shares.data_ptr<double>() + 3};
}

TEST(Advantages, are_discounted_sums_of_what_follows_in_the_same_episode) {
  const std::vector<float> rewards = {1, 2, 3, 10, 20};
  const std::array<std::int32_t, 2> lengths = {3, 2};
  const OnlineOptions plain{.discount = 0.5, .baseline = false};
  EXPECT_EQ(advantages(rewards, lengths, plain), (std::vector<float>{2.75F, 3.5F, 3, 20, 20}));
  const std::vector<float> scaled = advantages(rewards, lengths, {.discount = 0.5, .baseline = true});
  const double mean = std::accumulate(scaled.begin(), scaled.end(), 0.0) / 5;
  const double square = std::inner_product(scaled.begin(), scaled.end(), scaled.begin(), 0.0) / 5;
  EXPECT_NEAR(mean, 0, 1e-6);
  EXPECT_NEAR(square, 1, 1e-5);
}

TEST(PolicyGradient, is_that_of_the_expected_return_on_average) {
  const std::shared_ptr<const Network> network = linear(3);
  ParamVector weights(network->layout());
  for (std::size_t i = 0; i < weights.flat().size(); ++i) weights.flat()[i] = 0.3F * static_cast<float>(i % 3);
  const OnlineOptions options{.discount = 1.0, .baseline = false};
  constexpr int kPulls = 40'000;
  std::vector<RandomStream> streams;
  for (std::uint64_t pull = 0; pull < kPulls; ++pull) streams.emplace_back(1, Purpose::kTest, pull);
  const std::unique_ptr<PolicyRunner> runner = make_policy_runner(network, bandit_shape(3));
  runner->use(weights);
  runner->begin(kPulls);
  Actor actor(*runner, kPulls, true, {}, streams);
  Experience episodes;
  actor.add_to(episodes, pull(kPulls, [&](std::span<const float> inputs, std::span<float> actions) {
                 actor.act(inputs, actions);
               }));
  for (std::size_t i = 0; i < kPulls; ++i) {
    EXPECT_EQ(episodes.rewards[i], static_cast<float>(kWorth[static_cast<std::size_t>(episodes.actions[i])]));
  }
  ParamVector gradient(network->layout());
  Pass pass;
  const torch::Tensor loss =
      backpropagate(*network, policy_loss(episodes, options, true, {0, kPulls}), Network::views(weights),
                    torch::ones({kPulls, 1}), pass, Network::views(gradient));
  EXPECT_TRUE(std::isfinite(loss.item<double>()));
  const std::vector<double> pulled = shares(*network, weights);
  const double expected = std::inner_product(pulled.begin(), pulled.end(), kWorth.begin(), 0.0);
  const std::vector<torch::Tensor> slopes = Network::views(gradient);
  for (std::size_t arm = 0; arm < 3; ++arm) {  // d E / d logit = share (worth - E); both weight and bias move it
    const double slope = -pulled[arm] * (kWorth[arm] - expected);
    for (const torch::Tensor& tensor : slopes) {
      EXPECT_NEAR(tensor.flatten()[static_cast<std::int64_t>(arm)].item<double>(), slope, 0.01);
    }
  }
}

TEST(PolicyGradient, of_numbers_leads_towards_actions_that_were_worth_more) {
  const std::shared_ptr<const Network> network = linear(2);
  ParamVector weights(network->layout());
  const OnlineOptions options{.baseline = false, .deviation = 0.5};
  const Experience one{
      .inputs = {1.0F}, .outputs = {0.0F, 0.0F}, .actions = {0.4F, -0.2F}, .rewards = {3.0F}, .lengths = {1}};
  ParamVector gradient(network->layout());
  Pass pass;
  (void)backpropagate(*network, policy_loss(one, options, false, {0, 1}), Network::views(weights), torch::ones({1, 1}),
                      pass, Network::views(gradient));
  // d (3 |a - m|^2 / (2 s^2)) / dm = -3 (a - m) / s^2, at m = 0.
  for (const torch::Tensor& tensor : Network::views(gradient)) {
    EXPECT_NEAR(tensor.flatten()[0].item<double>(), -3 * 0.4 / 0.25, 1e-5);
    EXPECT_NEAR(tensor.flatten()[1].item<double>(), 3 * 0.2 / 0.25, 1e-5);
  }
}

TEST(OnlineRobots, learn_which_arm_is_worth_most) {
  const std::unique_ptr<Workload> workload = make_online_workload(bandit({.batch_episodes = 10}));
  for (const bool joint : {false, true}) {
    Awake robot({joint ? workload->make_joint_robot() : workload->make_robot(1), workload->symmetry().layout(),
                 workload->optimizer()});
    const double first = robot.train(5, never);
    robot.train(200, never);
    EXPECT_LT(robot.train(5, never), first);
    EXPECT_GT(shares(*linear(3), robot.weights())[1], 0.9);
  }
}

TEST(OnlineRobots, go_on_from_a_saved_state_with_the_same_bits) {
  const std::unique_ptr<Workload> workload = make_online_workload(bandit({.batch_episodes = 3}));
  expect_resumes_with_the_same_bits(*workload);
}

TEST(OnlineRobots, answer_from_the_last_episodes_that_they_played) {
  const std::unique_ptr<Workload> workload = make_online_workload(bandit({.batch_episodes = 4, .remembered = 6}));
  const std::unique_ptr<Awake> robot = awake(*workload, 0);
  EXPECT_THROW((void)robot->held_out_score(robot->weights()), Error) << "it has not played yet";
  robot->train(3, never);
  EXPECT_EQ(robot->held_out_score(robot->weights()).samples, 6);
  const std::size_t last = workload->maps().size() - 1;
  EXPECT_EQ(robot->map_moments(robot->weights(), robot->weights(), last).samples, 6);
}

/// What a robot's head is fitted to is what its network said: fitted to its own features it is found again.
TEST(OnlineRobots, have_heads_that_are_found_again) {
  const std::unique_ptr<Workload> workload =
      make_online_workload(bandit({.batch_episodes = 10, .remembered = 10}, 0.0));
  const std::unique_ptr<Awake> robot = awake(*workload, 0);
  robot->train(1, never);
  const MapMoments moments = robot->head_data(robot->weights())->moments();
  ASSERT_EQ(moments.samples, 10);
  const auto outputs = Network::views(robot->weights());
  const torch::Tensor said = linear(3)->forward(outputs, torch::ones({1, 1}))[0];
  for (int arm = 0; arm < 3; ++arm) {  // the sum over samples of said x (1, 1)
    EXPECT_NEAR(moments.targets(arm, 0), 10 * said[arm].item<double>(), 1e-4);
  }
}

/// Minus the squared distance of the outputs, at an input of 1, from a target: its gradient is known.
double closeness(const Network& network, const ParamVector& weights) {
  const torch::Tensor outputs = network.forward(Network::views(weights), torch::ones({1, 1}))[0];
  return -(outputs - torch::tensor({1.0F, -2.0F, 0.5F})).square().sum().item<double>();
}

TEST(RandomSearch, climbs_to_what_returns_most) {
  const std::shared_ptr<const Network> network = linear(3);
  const SearchOptions options{.directions = 16, .best = 8, .perturbation = 0.05};
  RandomSearch search(*network, 1, options);
  ParamVector weights(network->layout());
  ParamVector gradient(network->layout());
  const double first = closeness(*network, weights);
  for (std::uint64_t step = 0; step < 300; ++step) {
    RandomStream stream(step, Purpose::kTest);
    std::vector<std::uint64_t> numbers;
    search.estimate(
        weights,
        [&](const ParamVector& near, std::uint64_t number) {
          numbers.push_back(number);
          return closeness(*network, near);
        },
        stream, gradient);
    std::vector<std::uint64_t> expected(32);
    std::iota(expected.begin(), expected.end(), 0U);
    ASSERT_EQ(numbers, expected) << "two episodes a direction, each with a number of its own";
    for (std::size_t i = 0; i < weights.flat().size(); ++i) weights.flat()[i] -= 0.02F * gradient.flat()[i];
  }
  EXPECT_LT(first, -5);
  EXPECT_GT(closeness(*network, weights), -0.02);
}

/// Observations in other units, with the weights that undo it, are searched alike: that is what whitening is for.
TEST(RandomSearch, does_not_depend_on_units_of_observations) {
  const std::shared_ptr<const Network> network = linear(3);
  const auto moved = [&](float scale, float shift) {
    RandomSearch search(*network, 1, {.directions = 4, .best = 4, .perturbation = 0.1});
    search.see(std::array<float, 4>{scale * 1 + shift, scale * 2 + shift, scale * 3 + shift, scale * 4 + shift});
    ParamVector weights(network->layout());
    ParamVector gradient(network->layout());
    RandomStream stream(1, Purpose::kTest);
    search.estimate(
        weights,
        [&](const ParamVector& near, std::uint64_t) {
          const torch::Tensor seen = torch::tensor({{scale * 2 + shift}});
          return -(network->forward(Network::views(near), seen) - 1.0).square().sum().item<double>();
        },
        stream, gradient);
    const torch::Tensor step = network->forward(Network::views(gradient), torch::tensor({{scale * 3 + shift}}));
    return std::vector<float>(step.data_ptr<float>(), step.data_ptr<float>() + 3);
  };
  const std::vector<float> plain = moved(1, 0);
  const std::vector<float> other = moved(10, -5);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(plain[i], other[i], 1e-3 * std::abs(plain[i]) + 1e-4);
}

/// Running variances among them: one below 0 would make every action a NaN.
TEST(RandomSearch, leaves_statistics_as_they_are) {
  const Settings settings{{"model.hidden", Setting{Value(Value::List{Value(std::int64_t{4})}), {}}},
                          {"model.norm", Setting{Value(std::string("batch")), {}}}};
  SettingsReader reader(settings);
  const std::shared_ptr<const Network> network = make_network(reader, bandit_shape(3));
  RandomSearch search(*network, 1, {.directions = 4, .best = 4, .perturbation = 0.1});
  ParamVector weights(network->layout());
  ParamVector gradient(network->layout());
  RandomStream stream(1, Purpose::kTest);
  std::set<std::string> moved;
  std::set<std::string> statistics;
  search.estimate(
      weights,
      [&](const ParamVector& near, std::uint64_t) {
        for (std::size_t t = 0; t < network->layout()->tensors().size(); ++t) {
          const std::string& name = network->layout()->tensors()[t].name;
          if (network->is_statistic(t)) statistics.insert(name);
          if (!std::ranges::equal(near.tensor(t), weights.tensor(t))) moved.insert(name);
        }
        return stream.uniform();
      },
      stream, gradient);
  EXPECT_EQ(statistics.size(), 2U);
  EXPECT_EQ(moved.size() + statistics.size(), network->layout()->tensors().size());
  for (const std::string& name : statistics) EXPECT_FALSE(moved.contains(name)) << name;
}

TEST(OnlineRobots, search_and_go_on_from_a_saved_state_with_the_same_bits) {
  OnlineOptions options{.gradient = PolicyGradient::kSearch, .batch_episodes = 8};
  options.search = {.directions = 4, .best = 2, .perturbation = 0.5};
  const std::unique_ptr<Workload> workload = make_online_workload(bandit(options));
  const auto [whole, resumed] = interrupted(*workload, 1, 2, 4);
  EXPECT_EQ(values(*whole), values(*resumed));
  EXPECT_NE(values(*whole), values(*awake(*workload, 1)));
}

TEST(Memory, forgets_whole_episodes) {
  Memory memory(Histories(*linear(2), bandit_shape(2)), 2, true);
  memory.remember(
      {.inputs = {1, 2, 3}, .outputs = {1, -1, 2, -2, 3, -3}, .actions = {0, 1, 0}, .rewards = {}, .lengths = {2, 1}},
      2);
  memory.remember({.inputs = {4, 5}, .outputs = {4, -4, 5, -5}, .actions = {1, 1}, .rewards = {}, .lengths = {2}}, 2);
  ASSERT_EQ(memory.size(), 3);
  const std::array<std::int32_t, 2> some = {0, 2};
  EXPECT_TRUE(memory.inputs(some).inputs.equal(torch::tensor({{3.0F}, {5.0F}})));
  EXPECT_TRUE(memory.actions(some).equal(torch::tensor({0, 1}, torch::kInt64)));
  EXPECT_TRUE(memory.outputs(some).equal(torch::tensor({{3.0F, -3.0F}, {5.0F, -5.0F}})));
}

}  // namespace
}  // namespace fleet
