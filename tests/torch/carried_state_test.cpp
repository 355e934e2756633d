// Laws of robots that learn text with recurrent state carried from window to window, and of how roles are judged.
#include <algorithm>

#include "awake.hpp"
#include "network_cases.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

constexpr int kWindows = 110;
constexpr std::int64_t kEpoch = 10;  // steps: 11 lanes of 10 windows, and a place each

class EveryTextRobot : public testing::TestWithParam<NetworkCase> {
 protected:
  std::unique_ptr<Workload> workload(bool carry_state = true, TestGroups roles = {}) {
    SettingsReader reader(GetParam().settings);
    RandomStream stream(9, Purpose::kTest);
    TextWindows windows{.symbols = {}, .starts = {}, .window = kText.steps};
    symbols_.clear();
    for (int i = 0; i <= kWindows * kText.steps; ++i) symbols_.push_back(static_cast<std::uint8_t>(stream.below(7)));
    windows.symbols = symbols_;
    Shard all;
    for (int i = 0; i < kWindows; ++i) {
      windows.starts.push_back(i * std::int64_t{kText.steps});
      all.train.push_back(i);
    }
    const std::shared_ptr<Samples> samples = make_samples(std::move(windows));
    return make_supervised_workload(
        {.train = samples,
         .test = samples,
         .groups = std::move(roles),
         .objective = ObjectiveKind::kNextCharacter,
         .shards = std::vector{all},
         .network = make_network(reader, GetParam().shape),
         .options = {
             .batch_size = 11, .optimizer = {.learning_rate = 0.01}, .clip_norm = 1.0, .carry_state = carry_state}});
  }
  std::vector<std::uint8_t> symbols_;
};

TEST_P(EveryTextRobot, training_in_pieces_is_training_at_once) {
  const auto w = workload();
  ASSERT_EQ(w->steps_per_epoch(0), kEpoch);
  const auto whole = awake(*w, 0);
  const auto pieces = awake(*w, 0);
  whole->train(25, never);
  for (const int steps : {1, 3, 9, 2, 10}) pieces->train(steps, never);
  EXPECT_EQ(values(*whole), values(*pieces));
}

TEST_P(EveryTextRobot, one_that_is_loaded_in_the_middle_of_an_epoch_goes_on_with_the_same_bits) {
  const auto w = workload();
  const auto first = awake(*w, 0);
  first->train(kEpoch + 4, never);
  StateWriter saved;
  first->save(saved);
  first->train(9, never);

  const auto again = workload();
  const auto second = awake(*again, 0);
  second->train(3, never);  // what it held before is forgotten
  StateReader state(saved.bytes());
  second->load(state);
  EXPECT_TRUE(state.at_end());
  second->train(9, never);
  EXPECT_EQ(values(*first), values(*second));
}

TEST_P(EveryTextRobot, roles_are_judged_by_their_mean_and_tenth_percentile) {
  TestGroups roles{.name = "role", .samples = {}};
  for (std::int32_t begin = 0, size = 1; begin + size <= kWindows; begin += size, ++size) {
    roles.samples.emplace_back(static_cast<std::size_t>(size));
    for (std::int32_t i = 0; i < size; ++i) roles.samples.back()[static_cast<std::size_t>(i)] = begin + i;
  }
  const auto w = workload(true, roles);
  const auto robot = awake(*w, 0);
  robot->train(3 * kEpoch, never);
  std::vector<Score> scores;
  std::vector<double> accuracies;
  double right = 0.0;
  double characters = 0.0;
  ASSERT_EQ(w->test_parts(), std::ssize(roles.samples));
  for (int part = 0; part < w->test_parts(); ++part) {
    const std::vector<Score> own = w->test_scores(robot->weights(), part);
    accuracies.push_back(own[0].sum / own[0].samples);
    right += own[0].sum;
    characters += own[0].samples;
    scores.insert(scores.end(), own.begin(), own.end());
  }
  const auto value = [&](const std::string& name) {
    for (const NamedValue& metric : w->summarize(scores)) {
      if (metric.name == name) return metric.value;
    }
    ADD_FAILURE() << "no " << name;
    return 0.0;
  };
  const auto [worst, best] = std::minmax_element(accuracies.begin(), accuracies.end());
  ASSERT_LT(*worst, *best);
  EXPECT_NEAR(value("accuracy"), right / characters, 1e-12);
  EXPECT_GT(value("accuracy_role_mean"), *worst);
  EXPECT_LT(value("accuracy_role_mean"), *best);
  const double p10 = value("accuracy_role_p10");
  EXPECT_GE(p10, *worst);
  EXPECT_LT(p10, value("accuracy_role_mean"));
  // At most a tenth of the roles do worse, at least a tenth no better.
  const auto tenth = std::ssize(accuracies) / 10;
  EXPECT_LE(std::count_if(accuracies.begin(), accuracies.end(), [&](double a) { return a < p10; }), tenth);
  EXPECT_GE(std::count_if(accuracies.begin(), accuracies.end(), [&](double a) { return a <= p10; }), tenth);
}

INSTANTIATE_TEST_SUITE_P(Recurrent, EveryTextRobot, kRecurrent, name_of);

}  // namespace
}  // namespace fleet
