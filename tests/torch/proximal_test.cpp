// Proximal policy optimisation: what actions are worth, the bound on each step, whitened weights, and robots that learn
// by it.
#include "torch/proximal.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "awake.hpp"
#include "pretended.hpp"
#include "torch/mlp.hpp"
#include "torch/whitening.hpp"

namespace fleet {
namespace {

constexpr double kDiscount = 0.9;

TEST(GeneralisedAdvantages, without_a_critic_are_discounted_sums_of_what_follows) {
  const std::vector<float> rewards = {1, 2, 3, 10, 20};
  const std::vector<float> nothing(5);
  const std::array<std::int32_t, 2> lengths = {3, 2};
  EXPECT_EQ(generalised_advantages(rewards, nothing, lengths, std::array<float, 2>{}, 0.5, 1.0),
            (std::vector<float>{2.75F, 3.5F, 3, 20, 20}));
}

/// Of an episode with rewards of 1 that is cut off: 1 + d + ... for ever.
TEST(GeneralisedAdvantages, are_zero_where_the_critic_is_right) {
  constexpr auto kForEver = static_cast<float>(1.0 / (1.0 - kDiscount));
  const std::vector<float> rewards(7, 1.0F);
  const std::vector<float> values(7, kForEver);
  const std::array<std::int32_t, 1> lengths = {7};
  for (const double lambda : {0.0, 0.5, 1.0}) {
    for (const float advantage :
         generalised_advantages(rewards, values, lengths, std::array{kForEver}, kDiscount, lambda)) {
      EXPECT_NEAR(advantage, 0, 1e-5);
    }
    // Had the episode ended for good, what came before its end were worth less than that.
    EXPECT_LT(generalised_advantages(rewards, values, lengths, std::array{0.0F}, kDiscount, lambda).back(), -1);
  }
}

TEST(GeneralisedAdvantages, of_one_step_do_not_depend_on_where_an_episode_is_cut) {
  const std::vector<float> rewards = {1, -2, 3, 0.5F, 4};
  const std::vector<float> values = {0.3F, 2, -1, 5, 0.7F};
  const std::vector<float> whole =
      generalised_advantages(rewards, values, std::array<std::int32_t, 1>{5}, std::array{9.0F}, kDiscount, 0.0);
  const std::vector<float> cut = generalised_advantages(rewards, values, std::array<std::int32_t, 2>{2, 3},
                                                        std::array{-1.0F, 9.0F}, kDiscount, 0.0);
  EXPECT_EQ(whole, cut);
}

TEST(ClippedSurrogate, goes_no_further_than_its_bound) {
  const torch::Tensor log_ratio = torch::tensor({0.0F, 0.5F, 0.5F, -0.5F, -0.5F}).requires_grad_();
  const torch::Tensor worth = torch::tensor({2.0F, 1.0F, -1.0F, 1.0F, -1.0F});
  const torch::Tensor slope =
      torch::autograd::grad({clipped_surrogate(log_ratio, worth, 0.2)}, {log_ratio}).front() * 5;
  EXPECT_NEAR(slope[0].item<double>(), -2, 1e-6) << "at first that of the policy gradient";
  EXPECT_EQ(slope[1].item<double>(), 0) << "likelier than the bound, and worth it: no further";
  EXPECT_NEAR(slope[2].item<double>(), std::exp(0.5), 1e-6) << "likelier, and not worth it: back";
  EXPECT_NEAR(slope[3].item<double>(), -std::exp(-0.5), 1e-6) << "rarer, and worth it: back";
  EXPECT_EQ(slope[4].item<double>(), 0) << "rarer than the bound, and not worth it: no further";
}

class Whitened : public ::testing::Test {
 protected:
  Whitened() {
    std::vector<float> rows;
    for (int i = 0; i < 200; ++i) {
      for (const double scale : {1.0, 20.0, 0.05}) rows.push_back(static_cast<float>(3 + scale * stream_.normal()));
    }
    seen_.see(rows);
    network_->initialize(weights_, stream_);
  }
  ParamVector drawn() {
    ParamVector values(network_->layout());
    for (float& value : values.flat()) value = static_cast<float>(stream_.normal());
    return values;
  }
  static double dot(const ParamVector& a, const ParamVector& b) {
    return std::inner_product(a.flat().begin(), a.flat().end(), b.flat().begin(), 0.0);
  }

  RandomStream stream_{5, Purpose::kTest};
  std::shared_ptr<const Network> network_ = make_tanh_mlp({3, 8, 2});
  FeatureStatistics seen_{3};
  ParamVector weights_{network_->layout()};
};

TEST_F(Whitened, weights_say_the_same_of_whitened_observations) {
  const Whitening whitening(*network_, seen_, Whitening::Constant::kKept);
  ParamVector whitened = weights_;
  whitening.to_whitened(whitened);
  const std::array<float, 6> rows = {3, 20, 3.05F, 1, -7, 2.9F};
  const torch::Tensor plain = torch::tensor(at::ArrayRef<float>(rows.data(), rows.size())).view({2, 3});
  const torch::Tensor expected = network_->forward(Network::views(weights_), plain);
  const torch::Tensor found = network_->forward(Network::views(whitened), whitening.whitened(rows));
  EXPECT_LT((expected - found).abs().max().item<double>(), 1e-5);
  whitening.to_plain(whitened);
  for (std::size_t i = 0; i < weights_.flat().size(); ++i) {
    EXPECT_NEAR(whitened.flat()[i], weights_.flat()[i], 1e-5 * (1 + std::abs(weights_.flat()[i])));
  }
}

/// <pull_back(g), d> = <g, to_plain(d)>: the chain rule.
TEST_F(Whitened, gradients_are_pulled_back_by_the_transpose) {
  const Whitening whitening(*network_, seen_, Whitening::Constant::kKept);
  const ParamVector gradient = drawn();
  const ParamVector direction = drawn();
  ParamVector pulled = gradient;
  whitening.pull_back(pulled);
  ParamVector plain = direction;
  whitening.to_plain(plain);
  EXPECT_NEAR(dot(pulled, direction), dot(gradient, plain), 1e-4 * std::abs(dot(gradient, plain)));
}

/// That of half the squared length.
class Shrink final : public GradientTerm {
 public:
  void add_to(const ParamVector& at, ParamVector& gradient) const override {
    for (std::size_t i = 0; i < at.flat().size(); ++i) gradient.flat()[i] += at.flat()[i];
  }
};

/// Half the squared length of plain weights: along d its slope is <to_plain(w), to_plain(d)>.
TEST_F(Whitened, terms_are_those_of_plain_weights) {
  const Whitening whitening(*network_, seen_, Whitening::Constant::kKept);
  const ParamVector weights = drawn();
  const ParamVector direction = drawn();
  ParamVector added(network_->layout());
  const Shrink shrink;
  WhitenedTerm(shrink, whitening).add_to(weights, added);
  ParamVector plain = weights;
  ParamVector along = direction;
  whitening.to_plain(plain);
  whitening.to_plain(along);
  EXPECT_NEAR(dot(added, direction), dot(plain, along), 1e-4 * std::abs(dot(plain, along)));
}

TEST_F(Whitened, constant_features_stay_or_are_left_out) {
  FeatureStatistics still(3);
  for (int i = 0; i < 4; ++i) still.see(std::array<float, 3>{static_cast<float>(i), 7, 7});
  ParamVector kept = weights_;
  Whitening(*network_, still, Whitening::Constant::kKept).to_whitened(kept);
  Whitening(*network_, still, Whitening::Constant::kKept).to_plain(kept);
  ParamVector out = weights_;
  Whitening(*network_, still, Whitening::Constant::kLeftOut).to_plain(out);
  for (int unit = 0; unit < 8; ++unit) {
    const auto at = static_cast<std::size_t>(3 * unit + 1);
    EXPECT_NEAR(kept.tensor(0)[at], weights_.tensor(0)[at], 1e-5);
    EXPECT_EQ(out.tensor(0)[at], 0);
  }
}

/// What a robot sees is +1 or -1, in some units; it should answer with the same sign, or the number 0.7 times it.
OnlineProblem mirror(bool chooses, float scale = 1.0F, float shift = 0.0F, int length = 1, bool cut = false) {
  TrainingOptions training;
  training.optimizer.learning_rate = 3e-3;
  OnlineOptions online{.gradient = PolicyGradient::kProximal, .head_scale = 0.01, .remembered = 40};
  online.proximal = {.batch_steps = 64, .passes = 4, .minibatch_steps = 16, .critic = {8}};
  const NetworkShape shape{.inputs = 1, .outputs = chooses ? 2 : 1};
  const auto sign = [](std::uint64_t number, int step) {
    return (number + static_cast<std::uint64_t>(step)) % 2 == 0 ? 1.0F : -1.0F;
  };
  const Pretended world{.actions = chooses ? 2U : 1U,
                        .length = [=](std::uint64_t) { return length; },
                        .see = [=](std::uint64_t number, int step, std::span<const float>,
                                   std::span<float> seen) { seen[0] = scale * sign(number, step) + shift; },
                        .reward =
                            [=](std::uint64_t number, int step, std::span<const float> action) {
                              if (chooses) return action[sign(number, step) > 0 ? 1 : 0];
                              const float distance = action[0] - 0.7F * sign(number, step);
                              return -distance * distance;
                            },
                        .cut = cut};
  return {
      .robots = 2,
      .network = make_tanh_mlp({1, 8, chooses ? 2 : 1}),
      .shape = shape,
      .chooses = chooses,
      .training = training,
      .online = online,
      .play = [world](int, std::uint64_t first, int count, const Act& act) { return world.play(first, count, act); },
      .trials = {},
      .metrics = {"return"},
      .test =
          [](const ParamVector&, int) {
            return std::vector<Score>{{0.0, 1.0}};
          }};
}

TEST(ProximalRobots, learn_choices_and_numbers) {
  for (const bool joint : {false, true}) {
    for (const bool chooses : {true, false}) {
      const std::unique_ptr<Workload> workload = make_online_workload(mirror(chooses));
      Awake robot({joint ? workload->make_joint_robot() : workload->make_robot(1), workload->symmetry().layout(),
                   workload->optimizer()});
      const double first = robot.train(1, never);
      robot.train(100, never);
      const double last = robot.train(1, never);  // minus the mean return, with the noise of what it tries
      EXPECT_GT(first, chooses ? -0.7 : 0.5);
      EXPECT_LT(last, chooses ? -0.95 : 0.1);
    }
  }
}

OnlineProblem side_by_side(OnlineProblem problem, int environments) {
  problem.online.environments = environments;
  return problem;
}

TEST(ProximalRobots, go_on_from_a_saved_state_with_the_same_bits) {
  for (const int environments : {1, 5}) {
    for (const bool chooses : {true, false}) {
      const std::unique_ptr<Workload> workload =
          make_online_workload(side_by_side(mirror(chooses, 3.0F, 1.0F, 3), environments));
      const auto [whole, resumed] = interrupted(*workload, 0, 2, 4);
      EXPECT_EQ(values(*whole), values(*resumed));
      EXPECT_NE(values(*whole), values(*awake(*workload, 0)));
    }
  }
}

std::vector<float> learnt(OnlineProblem problem, std::int64_t batches) {
  const std::unique_ptr<Workload> workload = make_online_workload(std::move(problem));
  const std::unique_ptr<Awake> robot = awake(*workload, 0);
  robot->train(batches, never);
  return values(*robot);
}

/// A batch of 64 steps is a multiple of eight episodes of eight steps: the same episodes either way.
TEST(ProximalRobots, learn_the_same_from_episodes_side_by_side) {
  const std::vector<float> one_by_one = learnt(mirror(false, 1.0F, 0.0F, 8, true), 3);
  const std::vector<float> together = learnt(side_by_side(mirror(false, 1.0F, 0.0F, 8, true), 8), 3);
  for (std::size_t i = 0; i < one_by_one.size(); ++i) EXPECT_NEAR(together[i], one_by_one[i], 1e-5);
}

TEST(ProximalRobots, play_whole_waves_until_a_batch_is_full) {
  std::vector<int> counts;
  OnlineProblem problem = side_by_side(mirror(true, 1.0F, 0.0F, 3), 10);  // 30 steps a wave, 64 a batch
  const Play play = problem.play;
  problem.play = [&, play](int robot, std::uint64_t first, int count, const Act& act) {
    counts.push_back(count);
    return play(robot, first, count, act);
  };
  (void)learnt(std::move(problem), 2);
  EXPECT_EQ(counts, std::vector<int>(6, 10));
}

TEST(ProximalRobots, do_not_take_an_episode_that_was_cut_off_for_one_that_has_ended) {
  EXPECT_NE(learnt(mirror(false, 1.0F, 0.0F, 3, true), 2), learnt(mirror(false, 1.0F, 0.0F, 3, false), 2));
}

/// Weights decay; the logarithm of the noise's deviation is none.
TEST(ProximalRobots, keep_their_noise_where_weights_decay) {
  const auto tried = [](double decay) {
    OnlineProblem problem = mirror(false);
    problem.training.optimizer.kind = OptimizerOptions::Kind::kSgd;
    problem.training.optimizer.learning_rate = 1e-3;
    problem.training.optimizer.weight_decay = decay;
    problem.online.deviation = 0.05;
    double squares = 0.0;
    std::int64_t tries = 0;
    const Play play = problem.play;
    problem.play = [&, play](int robot, std::uint64_t first, int count, const Act& act) {
      return play(robot, first, count, [&](std::span<const float> input, std::span<float> action) {
        act(input, action);
        squares += static_cast<double>(action[0] * action[0]);
        ++tries;
      });
    };
    const std::unique_ptr<Workload> workload = make_online_workload(std::move(problem));
    const std::unique_ptr<Awake> robot = awake(*workload, 0);
    robot->train(20, never);
    squares = 0.0;
    tries = 0;
    robot->train(3, never);
    return std::sqrt(squares / static_cast<double>(tries));  // all weights are 0, what is left is noise
  };
  EXPECT_LT(tried(50.0), 0.2);
}

/// The joint robot plays the episodes that the robots play, and takes as many steps as one of them.
TEST(ProximalRobots, are_followed_step_by_step_by_the_joint_robot) {
  std::map<int, std::vector<std::uint64_t>> played;
  OnlineProblem problem = mirror(true);
  const Play play = problem.play;
  problem.play = [&, play](int robot, std::uint64_t first, int count, const Act& act) {
    for (int i = 0; i < count; ++i) played[robot].push_back(first + static_cast<std::uint64_t>(i));
    return play(robot, first, count, act);
  };
  const std::unique_ptr<Workload> workload = make_online_workload(std::move(problem));
  AwakeRobot joint(workload->make_joint_robot(), workload->symmetry().layout(), workload->optimizer());
  joint.train(3, never);
  EXPECT_EQ(joint.optimizer.steps(), 3 * 4 * (64 / 16)) << "batches x passes x minibatches of one robot";
  std::vector<std::uint64_t> all(3 * 64);
  std::iota(all.begin(), all.end(), 0U);
  EXPECT_EQ(played[0], all);
  EXPECT_EQ(played[1], all);
}

/// Observations in other units, with first weights that undo it, lead to the same policy.
TEST(ProximalRobots, do_not_depend_on_units_of_observations) {
  constexpr float kScale = 50.0F;
  constexpr float kShift = -20.0F;
  const std::unique_ptr<Workload> one = make_online_workload(mirror(false));
  const std::unique_ptr<Workload> other = make_online_workload(mirror(false, kScale, kShift));
  const std::unique_ptr<Awake> plain = awake(*one, 0);
  const std::unique_ptr<Awake> moved = awake(*other, 0);
  std::ranges::copy(plain->weights().flat(), moved->weights().flat().begin());
  for (std::size_t unit = 0; unit < 8; ++unit) {
    float& weight = moved->weights().tensor(0)[unit];
    weight /= kScale;
    moved->weights().tensor(1)[unit] -= weight * kShift;
  }
  plain->train(3, never);
  moved->train(3, never);
  const std::shared_ptr<const Network> network = make_tanh_mlp({1, 8, 1});
  for (const float sign : {1.0F, -1.0F}) {
    const float here = network->forward(Network::views(plain->weights()), torch::tensor({{sign}})).item<float>();
    const torch::Tensor seen = torch::tensor({{kScale * sign + kShift}});
    EXPECT_NEAR(network->forward(Network::views(moved->weights()), seen).item<float>(), here, 2e-3);
    EXPECT_GT(std::abs(here), 0.02) << "it has learnt something";
  }
}

/// Pulls plain weights towards zero, harder than any reward.
class Pull final : public GradientTerm {
 public:
  void add_to(const ParamVector& at, ParamVector& gradient) const override {
    for (std::size_t i = 0; i < at.flat().size(); ++i) gradient.flat()[i] += 1e3F * at.flat()[i];
  }
};

TEST(ProximalRobots, follow_what_is_added_to_their_gradient) {
  const std::unique_ptr<Workload> workload = make_online_workload(mirror(false, 5.0F, 2.0F));
  const std::unique_ptr<Awake> robot = awake(*workload, 0);
  const Pull pull;
  robot->follow(&pull);
  robot->train(200, never);
  for (const float weight : robot->weights().flat()) EXPECT_NEAR(weight, 0, 0.02);
}

}  // namespace
}  // namespace fleet
