#include "train/round_loop.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <thread>

#include "base/error.hpp"
#include "base/stopwatch.hpp"
#include "toy_fleet.hpp"
#include "train/quick_merger.hpp"

namespace fleet {
namespace {

using toy::ToyWorkload;

const std::vector<int> kRobotSamples = {8, 5, 0, 9, 4, 6};  // robot 2 has no data

struct Trace {
  std::vector<RoundRecord> rounds;
  std::vector<float> merged;
};

Trace trace_of(const FleetOptions& options, const std::string& method, const Comm& comm, double learning_rate = 0.01) {
  ToyWorkload workload(kRobotSamples, learning_rate);
  const std::unique_ptr<Merger> merger = toy::quick_merger(method, options.rounds_after);
  Trace trace;
  const CellResult result = run_cell(options, find_merger(method).regime, merger.get(), workload, comm,
                                     [&](const RoundRecord& round) { trace.rounds.push_back(round); });
  if (result.merged) trace.merged.assign(result.merged->flat().begin(), result.merged->flat().end());
  return trace;
}

void expect_same(const Trace& a, const Trace& b, const std::string& what) {
  EXPECT_EQ(a.merged, b.merged) << what;
  ASSERT_EQ(a.rounds.size(), b.rounds.size()) << what;
  for (std::size_t r = 0; r < a.rounds.size(); ++r) {
    EXPECT_EQ(a.rounds[r].participants, b.rounds[r].participants) << what;
    ASSERT_EQ(a.rounds[r].metrics.size(), b.rounds[r].metrics.size()) << what;
    for (std::size_t m = 0; m < a.rounds[r].metrics.size(); ++m) {
      EXPECT_EQ(a.rounds[r].metrics[m].robot, b.rounds[r].metrics[m].robot) << what;
      EXPECT_EQ(a.rounds[r].metrics[m].value, b.rounds[r].metrics[m].value) << what;
    }
  }
}

class RoundLoopTest : public testing::Test {
 protected:
  Comm world_ = MpiSession::world();
  FleetOptions options_{.robots = 6, .epochs = 5, .merge_every = 2, .participation = 0.6};
};

TEST_F(RoundLoopTest, results_are_the_same_bits_on_any_number_of_ranks) {
  const Comm alone = world_.split(world_.rank());
  for (const MergerEntry& entry : merger_table()) {
    if (!toy::suits(entry)) continue;
    for (const auto moments :
         {FleetOptions::Moments::kReset, FleetOptions::Moments::kKeep, FleetOptions::Moments::kAverage}) {
      for (const auto hand_back : {FleetOptions::HandBack::kAll, FleetOptions::HandBack::kParticipants}) {
        options_.moments = moments;
        options_.hand_back = hand_back;
        options_.local_tests = FleetOptions::LocalTests::kEvery;
        const std::string method(entry.name);
        expect_same(trace_of(options_, method, world_), trace_of(options_, method, alone), method);
      }
    }
  }
}

TEST_F(RoundLoopTest, parts_are_merged_to_the_same_bits_on_any_number_of_ranks) {
  const Comm alone = world_.split(world_.rank());
  for (const std::vector<std::string>& parameters : {std::vector<std::string>{"layers.0"}, {"!layers.0.bias"}}) {
    options_.parameters = parameters;
    for (const std::string method : {"average", "git-rebasin", "fleet-merge", "fisher", "regmean", "regression"}) {
      expect_same(trace_of(options_, method, world_), trace_of(options_, method, alone), method);
    }
  }
}

/// The same merge, seen through the part that is everything.
TEST_F(RoundLoopTest, a_part_that_is_all_is_merged_as_all_is) {
  FleetOptions named = options_;
  named.parameters = {"layers"};
  for (const std::string method : {"average", "git-rebasin", "fleet-merge", "fisher", "regmean", "regression"}) {
    EXPECT_EQ(trace_of(named, method, world_).merged, trace_of(options_, method, world_).merged) << method;
  }
}

TEST_F(RoundLoopTest, robots_that_do_not_take_the_merge_go_on_as_they_are) {
  struct Comparing final : RoundObserver {
    std::vector<Measurement> observe(const RoundView& view, const Comm& /*comm*/) override {
      for (std::size_t i = 0; i < view.robots.rows.size(); ++i) {
        const MergeRow& row = view.robots.rows[i];
        const bool as_it_is = std::ranges::equal(view.after_merge(i).flat(), row.weights->flat());
        EXPECT_EQ(as_it_is, !row.participates) << "robot " << row.robot << " in round " << view.round;
        ++compared;
      }
      return {};
    }
    int compared = 0;
  };
  options_.parameters = {"layers.0"};
  options_.hand_back = FleetOptions::HandBack::kParticipants;
  ToyWorkload workload(kRobotSamples, 0.01);
  const std::unique_ptr<Merger> merger = toy::quick_merger("git-rebasin", 0);
  Comparing onlooker;
  RoundObserver* const observers[] = {&onlooker};
  const Comm alone = world_.split(world_.rank());
  (void)run_cell(
      options_, Regime::kMerge, merger.get(), workload, alone, [](const RoundRecord& /*round*/) {}, {}, observers);
  EXPECT_EQ(onlooker.compared, 18);
}

/// What is not merged is each robot's own, after any number of rounds; the rest is everybody's.
TEST_F(RoundLoopTest, robots_keep_what_is_not_merged) {
  struct Personal final : RoundObserver {
    std::vector<Measurement> observe(const RoundView& view, const Comm& /*comm*/) override {
      for (std::size_t i = 0; i < view.robots.rows.size(); ++i) {
        personal.push_back(view.after_merge(i));
      }
      shown.push_back(view.robots.rows.size());
      return {};
    }
    std::vector<ParamVector> personal;
    std::vector<std::size_t> shown;
  };
  options_.parameters = {"layers.0"};
  ToyWorkload workload(kRobotSamples, 0.01);
  const std::unique_ptr<Merger> merger = toy::quick_merger("average", 0);
  Personal onlooker;
  RoundObserver* const observers[] = {&onlooker};
  const Comm alone = world_.split(world_.rank());
  (void)run_cell(
      options_, Regime::kMerge, merger.get(), workload, alone, [](const RoundRecord& /*round*/) {}, {}, observers);
  ASSERT_EQ(onlooker.shown, (std::vector<std::size_t>{6, 6, 6}));
  for (std::size_t i = 12; i < 18; ++i) {
    for (std::size_t t = 0; t < 3; ++t) {
      const bool is_own = t == 2;
      const auto one = std::as_const(onlooker.personal[12]).tensor(t);
      const auto other = std::as_const(onlooker.personal[i]).tensor(t);
      EXPECT_EQ(std::ranges::equal(one, other), !is_own || i == 12) << t << ' ' << i;
    }
  }
}

TEST_F(RoundLoopTest, results_of_fleets_that_fail_are_the_same_bits_on_any_number_of_ranks) {
  const Comm alone = world_.split(world_.rank());
  options_.merge_every = 1;
  options_.dropped = 0.3;
  options_.late = 0.4;
  options_.local_tests = FleetOptions::LocalTests::kEvery;
  for (const std::string method : {"average", "git-rebasin", "regression"}) {
    for (const auto trainees : {FleetOptions::Trainees::kAll, FleetOptions::Trainees::kParticipants}) {
      for (const auto hand_back : {FleetOptions::HandBack::kAll, FleetOptions::HandBack::kParticipants}) {
        options_.trainees = trainees;
        options_.hand_back = hand_back;
        expect_same(trace_of(options_, method, world_), trace_of(options_, method, alone), method);
      }
    }
  }
}

TEST_F(RoundLoopTest, who_is_dropped_is_lost_and_who_is_late_comes_to_the_next_merge) {
  options_ = {.robots = 6, .epochs = 40, .merge_every = 1, .participants = 4, .dropped = 0.3, .late = 0.3};
  const Trace trace = trace_of(options_, "average", world_);
  int dropped = 0;
  int late = 0;
  for (std::size_t r = 0; r < trace.rounds.size(); ++r) {
    const RoundRecord& round = trace.rounds[r];
    const int late_before = r > 0 ? trace.rounds[r - 1].late : 0;
    EXPECT_GE(round.participants, std::max(1, late_before));
    EXPECT_LE(round.participants + round.dropped + round.late - late_before, 4) << "but for those who are late already";
    dropped += round.dropped;
    late += round.late;
  }
  EXPECT_NEAR(dropped, 0.3 * 40 * 3.5, 15);
  EXPECT_NEAR(late, 0.7 * 0.3 * 40 * 3.5, 12);
}

TEST_F(RoundLoopTest, of_robots_that_would_all_fail_one_takes_part) {
  options_.dropped = 1.0;
  for (const RoundRecord& round : trace_of(options_, "average", world_).rounds) {
    EXPECT_EQ(round.participants, 1);
    EXPECT_EQ(round.dropped, 2);
  }
}

TEST_F(RoundLoopTest, what_a_late_robot_brings_is_what_it_has_trained_a_round_before) {
  // Two robots, of which one is late in the first round: the second merge is of it as it was, and of the other anew.
  const FleetOptions options{.robots = 2,
                             .epochs = 2,
                             .merge_every = 1,
                             .late = 0.5,
                             .trainees = FleetOptions::Trainees::kParticipants,
                             .local_tests = FleetOptions::LocalTests::kEvery};
  ToyWorkload workload({4, 4});
  const std::unique_ptr<Merger> merger = toy::quick_merger("average");
  bool seen = false;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    FleetOptions chosen = options;
    chosen.seed = seed;
    std::vector<RoundRecord> rounds;
    run_cell(chosen, Regime::kMerge, merger.get(), workload, world_,
             [&](const RoundRecord& round) { rounds.push_back(round); });
    if (rounds[0].late != 1 || rounds[1].late != 0) continue;
    seen = true;
    EXPECT_EQ(rounds[0].participants, 1);
    EXPECT_EQ(rounds[1].participants, 2);
    int unchanged = 0;  // robots that a second test finds where the first has
    for (std::size_t i = 0; i < 2; ++i) {
      const auto own = [&](const RoundRecord& round) { return round.metrics[i + 1].value; };
      unchanged += own(rounds[0]) == own(rounds[1]) ? 1 : 0;
    }
    EXPECT_EQ(unchanged, 1);
  }
  EXPECT_TRUE(seen);
}

TEST_F(RoundLoopTest, a_number_of_participants_is_taken_before_their_share) {
  options_.participants = 2;
  for (const RoundRecord& round : trace_of(options_, "average", world_).rounds) EXPECT_EQ(round.participants, 2);
  options_.participants = 100;
  for (const RoundRecord& round : trace_of(options_, "average", world_).rounds) EXPECT_EQ(round.participants, 5);
}

TEST_F(RoundLoopTest, a_target_tells_the_round_that_reaches_it_and_may_end_the_cell) {
  options_ = {.robots = 6, .epochs = 8, .merge_every = 1};
  const auto merged = [](const RoundRecord& round, const std::string& name) {
    for (const Metric& metric : round.metrics) {
      if (metric.robot == kMergedPolicy && metric.name == name) return metric.value;
    }
    return -1.0;
  };
  const Trace plain = trace_of(options_, "average", world_);
  std::vector<double> losses;
  for (const RoundRecord& round : plain.rounds) losses.push_back(merged(round, "loss"));
  std::vector<double> sorted = losses;
  std::ranges::sort(sorted);
  const double bound = sorted[3];
  const auto first = std::ranges::find_if(losses, [&](double loss) { return loss <= bound; });
  const auto expected = static_cast<int>(first - losses.begin()) + 1;

  options_.target = Target{.metric = "loss", .at_least = false, .value = bound};
  const Trace told = trace_of(options_, "average", world_);
  EXPECT_EQ(told.merged, plain.merged);
  EXPECT_EQ(merged(told.rounds.back(), kRoundsToTarget), expected);

  options_.stop_at_target = true;
  for (const int test_every : {1, 2}) {
    options_.test_every = test_every;
    const Trace stopped = trace_of(options_, "average", world_);
    const RoundRecord& last = stopped.rounds.back();
    EXPECT_EQ(std::ssize(stopped.rounds), last.round);
    EXPECT_EQ(merged(last, kRoundsToTarget), last.round);
    EXPECT_LE(merged(last, "loss"), bound);
    EXPECT_EQ(last.metrics.size(), 2U + 6U) << "robots' own policies are tested in the last round";
    if (test_every == 1) {
      EXPECT_EQ(last.round, expected);
    }
  }

  options_.target->value = -1.0;
  const Trace never = trace_of(options_, "average", world_);
  EXPECT_EQ(never.rounds.size(), 8U);
  EXPECT_TRUE(std::isnan(merged(never.rounds.back(), kRoundsToTarget)));
  options_.target->metric = "speed";
  EXPECT_THROW(trace_of(options_, "average", world_), Error);
}

TEST(Target, is_a_metric_and_a_bound) {
  const std::optional<Target> target = parse_target("accuracy >= 0.85");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->metric, "accuracy");
  EXPECT_TRUE(target->met_by(0.85));
  EXPECT_FALSE(target->met_by(0.84));
  EXPECT_FALSE(parse_target("loss<=-1e-3")->met_by(0.0));
  for (const char* text : {"accuracy", "accuracy > 0.5", ">= 1", "accuracy >= ", "accuracy >= high", "accuracy = 1",
                           "loss <= nan", "a b <= 1", "accuracy >= 0.5 or so"}) {
    EXPECT_FALSE(parse_target(text)) << text;
  }
}

TEST_F(RoundLoopTest, rounds_follow_the_merge_frequency_and_the_last_may_be_shorter) {
  const Trace trace = trace_of(options_, "average", world_);
  ASSERT_EQ(trace.rounds.size(), 3U);
  EXPECT_EQ(trace.rounds[0].epoch, 2);
  EXPECT_EQ(trace.rounds[1].epoch, 4);
  EXPECT_EQ(trace.rounds[2].epoch, 5);
}

TEST_F(RoundLoopTest, one_shot_is_one_merge_at_the_end) {
  options_.merge_every = 0;
  const Trace trace = trace_of(options_, "average", world_);
  ASSERT_EQ(trace.rounds.size(), 1U);
  EXPECT_EQ(trace.rounds[0].epoch, 5);
}

TEST_F(RoundLoopTest, who_watches_training_hears_of_every_step) {
  ToyWorkload workload(kRobotSamples, 0.01);
  const std::unique_ptr<Merger> merger = toy::quick_merger("average");
  std::map<int, std::vector<double>> shares;
  run_cell(
      options_, Regime::kMerge, merger.get(), workload, world_, [](const RoundRecord& /*round*/) {}, {}, {},
      [&](int round, double share) { shares[round].push_back(share); });
  std::int64_t steps = 0;  // of an epoch of this rank's robots
  const Placement placement{.robots = options_.robots, .ranks = world_.size()};
  for (int i = placement.begin(world_.rank()); i < placement.end(world_.rank()); ++i) {
    steps += workload.steps_per_epoch(i);
  }
  for (const int round : {1, 2, 3}) {
    const auto all = static_cast<std::size_t>(steps) * (round == 3 ? 1 : 2);
    ASSERT_EQ(shares[round].size(), all);
    for (std::size_t i = 0; i < all; ++i) {
      EXPECT_DOUBLE_EQ(shares[round][i], static_cast<double>(i) / static_cast<double>(all));
    }
  }
}

TEST_F(RoundLoopTest, only_robots_with_data_take_part) {
  options_.participation = 1.0;
  EXPECT_EQ(trace_of(options_, "average", world_).rounds[0].participants, 5);
  options_.participation = 1e-6;
  EXPECT_EQ(trace_of(options_, "average", world_).rounds[0].participants, 1);
}

TEST_F(RoundLoopTest, training_that_is_discarded_can_as_well_be_left_out) {
  // Toy robots go through their data in the same order every epoch: nothing is left of those who do not take part.
  for (const MergerEntry& entry : merger_table()) {
    if (!toy::suits(entry) || entry.regime != Regime::kMerge) continue;
    const std::string method(entry.name);
    options_.local_tests = FleetOptions::LocalTests::kNever;
    options_.trainees = FleetOptions::Trainees::kAll;
    const Trace all = trace_of(options_, method, world_);
    options_.trainees = FleetOptions::Trainees::kParticipants;
    expect_same(trace_of(options_, method, world_), all, method);
  }
}

TEST_F(RoundLoopTest, robots_that_never_train_are_never_made) {
  struct CountingWorkload final : ToyWorkload {
    using ToyWorkload::ToyWorkload;
    std::unique_ptr<Robot> make_robot(int robot) override {
      ++made;
      return ToyWorkload::make_robot(robot);
    }
    std::int64_t made = 0;
  };
  CountingWorkload workload(std::vector<int>(1000, 2));
  options_.robots = 1000;
  options_.participation = 0.004;
  options_.trainees = FleetOptions::Trainees::kParticipants;
  options_.local_tests = FleetOptions::LocalTests::kNever;
  const std::unique_ptr<Merger> merger = toy::quick_merger("average");
  run_cell(options_, Regime::kMerge, merger.get(), workload, world_, [](const RoundRecord& /*round*/) {});
  const std::int64_t made = world_.sum(workload.made);
  EXPECT_GE(made, 4);
  EXPECT_LE(made, 3 * 4);
}

TEST_F(RoundLoopTest, robots_at_the_same_weights_are_tested_once) {
  struct CountingWorkload final : ToyWorkload {
    using ToyWorkload::ToyWorkload;
    std::vector<Score> test_scores(const ParamVector& weights, int part) override {
      ++tests;
      return ToyWorkload::test_scores(weights, part);
    }
    std::int64_t tests = 0;
  };
  CountingWorkload workload(std::vector<int>(100, 2));
  const FleetOptions options{.robots = 100,
                             .epochs = 3,
                             .merge_every = 1,
                             .participation = 0.02,
                             .trainees = FleetOptions::Trainees::kParticipants,
                             .test_every = 0};
  const std::unique_ptr<Merger> merger = toy::quick_merger("average");
  std::vector<Metric> metrics;
  run_cell(options, Regime::kMerge, merger.get(), workload, world_,
           [&](const RoundRecord& round) { metrics = round.metrics; });
  ASSERT_EQ(metrics.size(), 101U);
  std::map<double, int> values;
  for (std::size_t i = 1; i < metrics.size(); ++i) ++values[metrics[i].value];
  EXPECT_EQ(values.size(), 3U) << "of two that have trained, and of all who rest";
  const std::int64_t most = workload.test_parts() * (world_.size() + 2 + 1);
  EXPECT_LE(world_.sum(workload.tests), most);
}

TEST_F(RoundLoopTest, robots_are_told_the_steps_that_they_come_to_take) {
  struct Steps {
    std::int64_t expected = 0;
    std::int64_t taken = 0;
  };
  struct CountingRobot final : toy::ToyRobot {
    CountingRobot(const SymmetrySpec& symmetry, int index, int samples, Steps& steps_)
        : ToyRobot(symmetry.layout(), index, samples, index), steps(steps_) {}
    void expect(std::int64_t total_steps) override { steps.expected = total_steps; }
    double train(ParamVector& weights, Optimizer& optimizer, std::int64_t count,
                 const std::function<bool()>& stop) override {
      steps.taken += count;
      return ToyRobot::train(weights, optimizer, count, stop);
    }
    Steps& steps;
  };
  struct CountingWorkload final : ToyWorkload {
    CountingWorkload() : ToyWorkload(kRobotSamples), steps(kRobotSamples.size()) {}
    std::unique_ptr<Robot> make_robot(int robot) override {
      const auto i = static_cast<std::size_t>(robot);
      return std::make_unique<CountingRobot>(symmetry(), robot, kRobotSamples[i], steps[i]);
    }
    std::vector<Steps> steps;
  };
  const Comm alone = world_.split(world_.rank());
  const std::unique_ptr<Merger> merger = toy::quick_merger("average");
  const auto count_steps = [&](CountingWorkload& workload, std::vector<int>& participants) {
    run_cell(options_, Regime::kMerge, merger.get(), workload, alone,
             [&](const RoundRecord& round) { participants.push_back(round.participants); });
    for (std::size_t i = 0; i < kRobotSamples.size(); ++i) {
      EXPECT_EQ(workload.steps[i].expected, workload.steps[i].taken) << "robot " << i;
      EXPECT_EQ(workload.steps[i].taken % std::max(kRobotSamples[i], 1), 0) << "robot " << i;
    }
  };
  for (const auto trainees : {FleetOptions::Trainees::kAll, FleetOptions::Trainees::kParticipants}) {
    options_.trainees = trainees;
    CountingWorkload workload;
    std::int64_t taken = 0;
    std::vector<int> participants;
    count_steps(workload, participants);
    for (std::size_t i = 0; i < kRobotSamples.size(); ++i) {
      if (kRobotSamples[i] > 0) taken += workload.steps[i].taken / kRobotSamples[i];
    }
    EXPECT_EQ(participants, (std::vector<int>{3, 3, 3}));  // of five with data, in rounds of two, two and one epoch
    EXPECT_EQ(taken, trainees == FleetOptions::Trainees::kAll ? 5 * 5 : 3 * (2 + 2 + 1));
    options_.late = 0.5;
    CountingWorkload slow;
    count_steps(slow, participants);
    options_.late = 0.0;
  }
}

TEST_F(RoundLoopTest, merging_every_robot_alone_is_training_it_without_merging) {
  // One robot: its consensus is itself, so with its moments kept a merge changes nothing.
  FleetOptions one{.robots = 1,
                   .epochs = 4,
                   .merge_every = 1,
                   .moments = FleetOptions::Moments::kKeep,
                   .local_tests = FleetOptions::LocalTests::kEvery};
  FleetOptions whole = one;
  whole.merge_every = 0;
  EXPECT_EQ(trace_of(one, "average", world_).merged, trace_of(whole, "average", world_).merged);
}

TEST_F(RoundLoopTest, moments_that_are_kept_or_averaged_change_what_follows) {
  std::vector<std::vector<float>> ends;
  for (const auto moments :
       {FleetOptions::Moments::kReset, FleetOptions::Moments::kKeep, FleetOptions::Moments::kAverage}) {
    options_.moments = moments;
    ends.push_back(trace_of(options_, "average", world_).merged);
  }
  EXPECT_NE(ends[0], ends[1]);
  EXPECT_NE(ends[1], ends[2]);
  EXPECT_NE(ends[0], ends[2]);
}

TEST_F(RoundLoopTest, of_robots_that_are_alike_averaged_moments_do_not_tell_who_took_part) {
  struct AlikeWorkload final : ToyWorkload {
    AlikeWorkload() : ToyWorkload(std::vector<int>(6, 5)) {}
    std::unique_ptr<Robot> make_robot(int /*robot*/) override {
      return std::make_unique<toy::ToyRobot>(symmetry().layout(), 0, 5, 0);
    }
  };
  options_.epochs = 6;
  options_.merge_every = 1;
  options_.moments = FleetOptions::Moments::kAverage;
  options_.trainees = FleetOptions::Trainees::kParticipants;
  options_.local_tests = FleetOptions::LocalTests::kNever;
  std::vector<ParamVector> ends;
  for (const double participation : {1.0, 0.3}) {
    options_.participation = participation;
    AlikeWorkload workload;
    const std::unique_ptr<Merger> merger = toy::quick_merger("average");
    ends.push_back(
        *run_cell(options_, Regime::kMerge, merger.get(), workload, world_, [](const RoundRecord&) {}).merged);
  }
  for (std::size_t i = 0; i < ends[0].flat().size(); ++i) EXPECT_NEAR(ends[0].flat()[i], ends[1].flat()[i], 1e-6);
}

TEST_F(RoundLoopTest, a_merge_that_is_not_finite_ends_the_cell_with_the_round) {
  struct Endless final : Merger {
    MergeOutcome merge(const MergeInput& input, const Comm& /*comm*/) override {
      MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
      outcome.merged.flat()[0] = input.round == 2 ? std::numeric_limits<float>::infinity() : 0.0F;
      return outcome;
    }
  };
  ToyWorkload workload(kRobotSamples);
  Endless merger;
  try {
    run_cell(options_, Regime::kMerge, &merger, workload, world_, [](const RoundRecord&) {});
    FAIL() << "a merge without an end";
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "round 2: merge: the merged weights are not finite");
  }
}

TEST_F(RoundLoopTest, rounds_go_on_however_many_epochs_they_could_have) {
  const FleetOptions most{.epochs = 1000000, .merge_every = 1000000, .rounds_after = 3000};
  EXPECT_EQ(most.training_rounds(), 1);
  EXPECT_EQ(most.epochs_after(1), 1000000);
  EXPECT_EQ(most.epochs_after(3001), 1000000);
}

TEST_F(RoundLoopTest, rounds_after_the_last_merge_leave_what_came_before_as_it_is) {
  options_.local_tests = FleetOptions::LocalTests::kLast;
  const Trace without = trace_of(options_, "average", world_);
  options_.rounds_after = 2;
  const Trace with = trace_of(options_, "average", world_);
  ASSERT_EQ(with.rounds.size(), without.rounds.size() + 2);
  for (std::size_t r = 0; r < with.rounds.size(); ++r) {
    EXPECT_EQ(with.rounds[r].round, static_cast<int>(r) + 1);
    if (r >= without.rounds.size()) {
      EXPECT_EQ(with.rounds[r].epoch, options_.epochs);
      EXPECT_EQ(with.rounds[r].metrics.size(), 1U) << "robots have no policies of their own there";
      EXPECT_GT(with.rounds[r].cost.steps, 0U);
      continue;
    }
    EXPECT_EQ(with.rounds[r].cost.steps, 0U);
    ASSERT_EQ(with.rounds[r].metrics.size(), without.rounds[r].metrics.size());
    for (std::size_t m = 0; m < with.rounds[r].metrics.size(); ++m) {
      EXPECT_EQ(with.rounds[r].metrics[m].value, without.rounds[r].metrics[m].value);
    }
  }
  EXPECT_NE(with.merged, without.merged);
}

TEST_F(RoundLoopTest, reference_lines_report_what_they_have) {
  for (const RoundRecord& round : trace_of(options_, "local", world_).rounds) {
    ASSERT_EQ(round.metrics.size(), 6U);
    for (int i = 0; i < 6; ++i) EXPECT_EQ(round.metrics[static_cast<std::size_t>(i)].robot, i);
  }
  for (const RoundRecord& round : trace_of(options_, "joint", world_).rounds) {
    ASSERT_EQ(round.metrics.size(), 1U);
    EXPECT_EQ(round.metrics[0].robot, kMergedPolicy);
  }
}

TEST_F(RoundLoopTest, a_cell_is_not_charged_for_what_came_before_it) {
  world_.together([&] {
    if (world_.is_root()) std::this_thread::sleep_for(std::chrono::milliseconds(300));  // the others wait
  });
  const Stopwatch watch;
  const Trace trace = trace_of(options_, "average", world_);
  double charged = 0.0;
  for (const RoundRecord& round : trace.rounds) {
    const PhaseSeconds& s = round.seconds;
    charged += s.train + s.wait + s.merge + s.evaluate + s.other;
  }
  EXPECT_LE(charged, watch.seconds());
}

TEST_F(RoundLoopTest, fewer_tests_change_nothing_else) {
  options_.local_tests = FleetOptions::LocalTests::kEvery;
  for (const std::string method : {"average", "local", "joint"}) {
    const Trace every = trace_of(options_, method, world_);
    for (const int interval : {0, 2}) {  // rounds 3, or 2 and 3
      FleetOptions seldom = options_;
      seldom.test_every = interval;
      const Trace trace = trace_of(seldom, method, world_);
      EXPECT_EQ(trace.merged, every.merged);
      for (std::size_t r = 0; r < 3; ++r) {
        const bool tested = r == 2 || (interval == 2 && r == 1);
        ASSERT_EQ(trace.rounds[r].metrics.size(), tested ? every.rounds[r].metrics.size() : 0U) << method;
        for (std::size_t i = 0; i < trace.rounds[r].metrics.size(); ++i) {
          EXPECT_EQ(trace.rounds[r].metrics[i].value, every.rounds[r].metrics[i].value);
        }
      }
    }
  }
}

TEST_F(RoundLoopTest, a_robot_that_diverges_ends_the_cell_on_every_rank_with_its_name_and_round) {
  try {
    trace_of(options_, "average", world_, 1e30);
    FAIL() << "nothing diverged";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("round 1: robot "), std::string::npos) << error.what();
  }
}

TEST_F(RoundLoopTest, a_fleet_without_any_data_is_an_error) {
  ToyWorkload empty({0, 0});
  const std::unique_ptr<Merger> merger = [] {
    const Settings none;
    SettingsReader reader(none);
    return find_merger("average").make(reader);
  }();
  const FleetOptions options{.robots = 2, .epochs = 1};
  EXPECT_THROW(run_cell(options, Regime::kMerge, merger.get(), empty, world_, [](const RoundRecord&) {}), Error);
  EXPECT_THROW(run_cell(options, Regime::kJoint, nullptr, empty, world_, [](const RoundRecord&) {}), Error);
}

TEST_F(RoundLoopTest, a_stop_request_interrupts_at_the_next_agreement) {
  int rounds = 0;
  ToyWorkload workload(kRobotSamples);
  world_.set_stop_request([&] { return rounds == 1; });
  EXPECT_THROW(run_cell(options_, Regime::kLocal, nullptr, workload, world_, [&](const RoundRecord&) { ++rounds; }),
               Interrupted);
  EXPECT_EQ(rounds, 1);
}

}  // namespace
}  // namespace fleet
