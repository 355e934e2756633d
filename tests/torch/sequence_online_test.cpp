// Networks that take sequences and learn online: what they saw when they acted is what they learn from.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "awake.hpp"
#include "network_cases.hpp"
#include "pretended.hpp"
#include "resumed.hpp"
#include "torch/experience.hpp"
#include "torch/histories.hpp"
#include "torch/online.hpp"

namespace fleet {
namespace {

constexpr int kWindow = 4;
constexpr std::array<int, 6> kLengths = {3, 9, 1, 4, 5, 12};  // of episodes by number, in turn
constexpr int kSeen = 2;                                      // numbers of an observation
constexpr int kActions = 3;

struct LearnerCase {
  std::string name;
  NetworkCase network;
  bool chooses = true;
};
void PrintTo(const LearnerCase& tested, std::ostream* out) {
  *out << tested.name;
}

LearnerCase learner(NetworkCase network, bool chooses = true) {
  network.shape.inputs = kSeen;
  network.shape.outputs = kActions;
  network.shape.steps = network.shape.input == NetworkShape::Input::kSequence ? kWindow : 0;
  const std::string name = network.name + (chooses ? "" : "_of_numbers");
  return {name, network, chooses};
}

/// Episodes whose observations follow from their numbers and from what was done.
Pretended world(std::span<const int> lengths = kLengths) {
  return {.features = kSeen,
          .actions = kActions,
          .length = [lengths = std::vector<int>(lengths.begin(), lengths.end())](
                        std::uint64_t number) { return lengths[number % lengths.size()]; },
          .see =
              [](std::uint64_t number, int step, std::span<const float> done, std::span<float> seen) {
                RandomStream stream(number, Purpose::kTest, static_cast<std::uint64_t>(step));
                for (float& value : seen) value = static_cast<float>(stream.normal()) + 0.1F * done[0];
              },
          .reward = [](std::uint64_t, int step,
                       std::span<const float> action) { return action[1] + 0.5F * static_cast<float>(step % 3); }};
}

/// An episode; what it saw and did is noted.
std::vector<Played> noted(const Pretended& world, std::uint64_t number, const Act& act, Experience& notes) {
  std::vector<Played> played = world.play(number, 1, [&](std::span<const float> seen, std::span<float> action) {
    act(seen, action);
    notes.inputs.insert(notes.inputs.end(), seen.begin(), seen.end());
    notes.actions.insert(notes.actions.end(), action.begin(), action.end());
  });
  const std::vector<float>& rewards = played.front().rewards;
  notes.rewards.insert(notes.rewards.end(), rewards.begin(), rewards.end());
  notes.lengths.push_back(static_cast<std::int32_t>(rewards.size()));
  return played;
}

class EveryLearner : public testing::TestWithParam<LearnerCase> {
 protected:
  void SetUp() override {
    SettingsReader reader(GetParam().network.settings);
    network_ = make_network(reader, shape());
  }
  static const NetworkShape& shape() { return GetParam().network.shape; }
  static bool chooses() { return GetParam().chooses; }
  Histories histories() const { return {*network_, shape()}; }

  /// Robots whose weights, with a rate of 1, go down by the gradient.
  std::unique_ptr<Workload> workload(const OnlineOptions& options, double rate, std::span<const int> lengths = kLengths,
                                     Experience* notes = nullptr) const {
    TrainingOptions training;
    training.optimizer.kind = OptimizerOptions::Kind::kSgd;
    training.optimizer.learning_rate = rate;
    return make_online_workload(
        {.robots = 2,
         .network = network_,
         .shape = shape(),
         .chooses = chooses(),
         .training = training,
         .online = options,
         .play =
             [here = world(lengths), notes](int, std::uint64_t first, int count, const Act& act) {
               return notes == nullptr ? here.play(first, count, act) : noted(here, first, act, *notes);
             },
         .trials = {},
         .metrics = {"return"},
         .test =
             [](const ParamVector&, int) {
               return std::vector<Score>{{0.0, 1.0}};
             }});
  }

  /// The log probability of what was done at each step, by `outputs`.
  torch::Tensor log_probability(const torch::Tensor& outputs, const torch::Tensor& actions) const {
    if (!chooses()) return -((actions - outputs).div(OnlineOptions().deviation).square().sum(1) * 0.5);
    return torch::log_softmax(outputs, 1).gather(1, actions.to(torch::kInt64)).squeeze(1);
  }

  /// The gradient of -sum(log probability x advantage) / steps, each step by a pass of its own through all that the
  /// network had before it.
  torch::Tensor slope_step_by_step(const ParamVector& weights, const Experience& lived,
                                   const OnlineOptions& options) const {
    const std::vector<torch::Tensor> parameters = Network::views(weights);
    for (const torch::Tensor& tensor : parameters) tensor.requires_grad_(true);
    const std::vector<float> worth = advantages(lived.rewards, lived.lengths, options);
    const auto steps = static_cast<std::int64_t>(worth.size());
    const torch::Tensor inputs =
        torch::tensor(at::ArrayRef<float>(lived.inputs.data(), lived.inputs.size())).view({steps, kSeen});
    torch::Tensor actions =
        torch::tensor(at::ArrayRef<float>(lived.actions.data(), lived.actions.size())).view({steps, kActions});
    if (chooses()) actions = actions.argmax(1, true);
    torch::Tensor loss = torch::zeros({1});
    std::int64_t step = 0;
    for (const std::int32_t length : lived.lengths) {
      const std::int64_t begin = step;
      for (std::int64_t i = 0; i < length; ++i, ++step) {
        const std::int64_t first = network_->carries_state() ? begin : std::max(begin, step + 1 - kWindow);
        const bool sequence = shape().input == NetworkShape::Input::kSequence;
        const torch::Tensor seen = sequence ? inputs.narrow(0, first, step + 1 - first).unsqueeze(0) : inputs[step];
        const torch::Tensor said = network_->forward(parameters, sequence ? seen : seen.unsqueeze(0))[-1];
        loss = loss - log_probability(said.unsqueeze(0), actions.narrow(0, step, 1)) *
                          static_cast<double>(worth[static_cast<std::size_t>(step)]);
      }
    }
    std::vector<torch::Tensor> slopes = torch::autograd::grad({loss / static_cast<double>(steps)}, parameters);
    for (torch::Tensor& slope : slopes) slope = slope.flatten();
    return torch::cat(slopes);
  }

  std::shared_ptr<const Network> network_;
};

std::vector<std::int32_t> all_steps(const Experience& lived) {
  std::vector<std::int32_t> steps(lived.rewards.size());
  std::iota(steps.begin(), steps.end(), 0);
  return steps;
}

torch::Tensor change(const std::vector<float>& from, const std::vector<float>& to) {
  const auto size = static_cast<std::int64_t>(from.size());
  return torch::tensor(at::ArrayRef<float>(to)).view({size}) - torch::tensor(at::ArrayRef<float>(from)).view({size});
}

TEST_P(EveryLearner, finds_again_the_probabilities_by_which_it_acted) {
  ParamVector weights(network_->layout());
  RandomStream first(1, Purpose::kInitialization);
  network_->initialize(weights, first);
  const std::unique_ptr<PolicyRunner> runner = make_policy_runner(network_, shape());
  const std::vector<float> deviations(kActions, 0.5F);
  Experience lived;
  std::vector<RandomStream> noise;
  for (std::uint64_t number = 0; number < kLengths.size(); ++number) noise.emplace_back(2, Purpose::kTest, number);
  runner->use(weights);
  runner->begin(kLengths.size());
  Actor actor(*runner, kLengths.size(), chooses(), deviations, noise);
  actor.add_to(lived, world().play(0, kLengths.size(), [&](std::span<const float> inputs, std::span<float> actions) {
    actor.act(inputs, actions);
  }));
  EXPECT_TRUE(std::ranges::equal(lived.lengths, kLengths));
  const torch::Tensor acted = log_probability(lived.output_rows(), lived.action_rows());
  std::vector<std::int32_t> steps = all_steps(lived);
  std::vector<std::int32_t> mixed = steps;
  noise.front().shuffle(std::span(mixed));
  mixed.push_back(mixed.front());
  const std::vector<std::int32_t> last = {steps.back()};
  for (const std::vector<std::int32_t>& some : {steps, mixed, last}) {
    const History history = histories().of(lived.inputs, lived.lengths, some);
    Pass pass{.steps = history.steps};
    const torch::Tensor outputs = network_->forward(Network::views(weights), history.inputs, pass);
    ASSERT_EQ(outputs.size(0), std::ssize(some));
    const torch::Tensor rows = torch::tensor(at::ArrayRef<std::int32_t>(some)).to(torch::kInt64);
    const torch::Tensor again = log_probability(outputs, lived.action_rows().index_select(0, rows));
    EXPECT_TRUE(torch::allclose(again, acted.index_select(0, rows), 1e-5, 1e-5)) << again - acted.index_select(0, rows);
  }
}

TEST_P(EveryLearner, follows_the_gradient_of_what_it_did_in_the_light_of_what_it_saw) {
  for (const bool baseline : {false, true}) {
    const OnlineOptions options{.batch_episodes = kLengths.size(), .discount = 0.9, .baseline = baseline};
    Experience lived;
    const std::unique_ptr<Workload> fleet = workload(options, 1.0, kLengths, &lived);
    const std::unique_ptr<Awake> robot = awake(*fleet, 1);
    const std::vector<float> before = values(*robot);
    const ParamVector start = robot->weights();
    robot->train(1, never);
    ASSERT_EQ(lived.lengths.size(), kLengths.size());
    const torch::Tensor wanted = slope_step_by_step(start, lived, options);
    const torch::Tensor found = -change(before, values(*robot));
    EXPECT_GT(wanted.norm().item<double>(), 1e-3);
    EXPECT_LT((found - wanted).norm().item<double>(), 1e-4 * wanted.norm().item<double>() + 1e-6);
  }
}

TEST_P(EveryLearner, learns_the_same_from_episodes_side_by_side) {
  const auto learnt = [&](int environments) {
    const std::unique_ptr<Workload> fleet =
        workload({.batch_episodes = kLengths.size(), .environments = environments}, 0.1);
    const std::unique_ptr<Awake> robot = awake(*fleet, 0);
    robot->train(3, never);
    return values(*robot);
  };
  const std::vector<float> one_by_one = learnt(1);
  const double moved = change(values(*awake(*workload({}, 0.1), 0)), one_by_one).norm().item<double>();
  EXPECT_GT(moved, 1e-3);
  for (const int environments : {4, 6, 100}) {  // in two waves, in one, and of more than there are
    EXPECT_LT(change(one_by_one, learnt(environments)).norm().item<double>(), 1e-4 * moved) << environments;
  }
}

TEST_P(EveryLearner, follows_it_in_parts_where_a_batch_is_large) {
  constexpr std::array<int, 4> kLong = {30, 2500, 700, 1};
  OnlineOptions options{.batch_episodes = kLong.size(), .baseline = true};
  if (chooses()) options.entropy = 0.1;
  Experience lived;
  const std::unique_ptr<Workload> fleet = workload(options, 1.0, kLong, &lived);
  const std::unique_ptr<Awake> robot = awake(*fleet, 0);
  const std::vector<float> before = values(*robot);
  const ParamVector start = robot->weights();
  robot->train(1, never);

  const std::vector<Stretch> parts = histories().parts(lived.lengths);
  std::int32_t end = 0;
  for (const Stretch& part : parts) {
    EXPECT_EQ(part.begin, end);
    EXPECT_GT(part.count, 0);
    end += part.count;
  }
  EXPECT_EQ(end, 3231);
  const bool sequence = shape().input == NetworkShape::Input::kSequence;
  EXPECT_EQ(parts.size() > 1, sequence);

  if (chooses()) {  // from numbers of a row to one
    std::vector<float> chosen;
    for (std::size_t i = 0; i < lived.actions.size(); i += kActions) {
      const auto row = lived.actions.begin() + static_cast<std::ptrdiff_t>(i);
      chosen.push_back(static_cast<float>(std::max_element(row, row + kActions) - row));
    }
    lived.actions = chosen;
  }
  const History history = histories().of(lived.inputs, lived.lengths, all_steps(lived));
  ParamVector slope(network_->layout());
  Pass pass{.training = true, .steps = history.steps};
  (void)backpropagate(*network_, policy_loss(lived, options, chooses(), {0, end}), Network::views(start),
                      history.inputs, pass, Network::views(slope));
  const torch::Tensor wanted = torch::tensor(at::ArrayRef<float>(slope.flat().data(), slope.flat().size()));
  const torch::Tensor found = -change(before, values(*robot));
  EXPECT_LT((found - wanted).norm().item<double>(), 2e-4 * wanted.norm().item<double>() + 1e-6);
}

TEST_P(EveryLearner, goes_on_from_a_saved_state_with_the_same_bits) {
  const std::unique_ptr<Workload> fleet = workload({.batch_episodes = 2, .remembered = 3}, 0.05);
  expect_resumes_with_the_same_bits(*fleet);
}

/// What merging methods ask is answered of each step once, with its history: heads that are fitted to what the network
/// said are found again.
TEST_P(EveryLearner, answers_of_each_step_that_it_remembers) {
  const std::unique_ptr<Workload> fleet =
      workload({.batch_episodes = kLengths.size(), .remembered = static_cast<int>(kLengths.size()) - 1}, 1e-9);
  const std::unique_ptr<Awake> robot = awake(*fleet, 0);
  robot->train(1, never);
  constexpr double kSteps = 9 + 1 + 4 + 5 + 12;  // the first of six is forgotten
  const ParamVector& weights = robot->weights();
  EXPECT_EQ(robot->held_out_score(weights).samples, kSteps);
  for (std::size_t map = 0; map < network_->maps().size(); ++map) {
    EXPECT_EQ(robot->map_moments(weights, weights, map).samples, kSteps) << network_->maps()[map].name;
    EXPECT_EQ(robot->output_sums(weights, map).rows, kSteps);
  }
  const std::size_t last = network_->maps().size() - 1;
  const MapMoments moments = robot->map_moments(weights, weights, last);
  const MapMoments head = robot->head_data(weights)->moments();
  EXPECT_EQ(head.samples, kSteps);
  EXPECT_TRUE(head.inputs.isApprox(moments.inputs, 1e-5));
  EXPECT_TRUE(head.targets.isApprox(moments.targets, 1e-4)) << head.targets << "\n\n" << moments.targets;
}

TEST_P(EveryLearner, tells_the_curvature_of_doing_it_again) {
  const std::unique_ptr<Workload> fleet = workload({.batch_episodes = kLengths.size()}, 1e-9);
  const std::unique_ptr<Awake> robot = awake(*fleet, 0);
  robot->train(1, never);
  const ParamVector start = robot->weights();
  const Curvature curvature = robot->curvature(start, 1);
  EXPECT_EQ(curvature.samples, 34);
  ASSERT_EQ(curvature.maps.size(), network_->maps().size());
  // One step against the gradient, from all of them as one batch.
  const ParamVector moved = robot->take_steps(start, {.steps = 1, .learning_rate = 1e-3}, 1, nullptr);
  double along = 0;
  for (std::size_t i = 0; i < start.flat().size(); ++i) {
    along += static_cast<double>(curvature.gradient.flat()[i]) * static_cast<double>(start.flat()[i] - moved.flat()[i]);
  }
  EXPECT_GT(along, 0);
  EXPECT_LT(robot->held_out_loss(moved).sum, robot->held_out_loss(start).sum);
}

INSTANTIATE_TEST_SUITE_P(Networks, EveryLearner,
                         testing::Values(learner(mlp("mlp", {8}, "tanh")),
                                         learner(of_vectors(recurrent("rnn", "rnn", {9}, 0))),
                                         learner(of_vectors(recurrent("lstm", "lstm", {6, 5}, 0))),
                                         learner(of_vectors(recurrent("gru", "gru", {6, 5}, 0))),
                                         learner(of_vectors(recurrent("gru", "gru", {6}, 0)), false),
                                         learner(of_vectors(transformer())), learner(of_vectors(transformer()), false)),
                         [](const testing::TestParamInfo<LearnerCase>& tested) { return tested.param.name; });

}  // namespace
}  // namespace fleet
