// The instruments of a cell measure what they say, change nothing, and see the same on any number of ranks.
#include "instruments/instruments.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "instruments/alignment_summary.hpp"
#include "instruments/finetune.hpp"
#include "instruments/norms.hpp"
#include "instruments/personal.hpp"
#include "measurements.hpp"
#include "memory_store.hpp"
#include "merge/average.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_merge.hpp"
#include "toy_fleet.hpp"
#include "train/evaluation.hpp"

namespace fleet {
namespace {

struct Trace {
  bool interrupted = false;
  std::vector<Measurement> measurements;
  std::vector<double> metrics;
  std::vector<float> merged;
};

/// A cell of the toy world, with or without instruments.
Trace run(const std::string& method, const InstrumentOptions& instruments, const Comm& comm,
          const Checkpointing& checkpointing = {}) {
  toy::ToyWorkload workload({8, 5, 0, 9, 4, 6});
  Settings settings;
  settings["merge.fleet-merge.epochs"].value = std::int64_t{3};
  settings["merge.fleet-merge.steps"].value = std::int64_t{4};
  SettingsReader reader(settings);
  const MergerEntry& entry = find_merger(method);
  const std::unique_ptr<Merger> merger = entry.make(reader);
  Instruments observer(instruments, workload);
  std::vector<RoundObserver*> observers;
  if (instruments.any()) observers.push_back(&observer);
  const FleetOptions options{.robots = 6, .epochs = 4, .merge_every = 2, .participation = 0.8};
  Trace trace;
  const auto emit = [&](const RoundRecord& round) {
    trace.measurements.insert(trace.measurements.end(), round.measurements.begin(), round.measurements.end());
    for (const Metric& metric : round.metrics) trace.metrics.push_back(metric.value);
  };
  try {
    const CellResult result =
        run_cell(options, entry.regime, merger.get(), workload, comm, emit, checkpointing, observers);
    if (result.merged) trace.merged.assign(result.merged->flat().begin(), result.merged->flat().end());
  } catch (const Interrupted&) {
    trace.interrupted = true;
  }
  return trace;
}

constexpr InstrumentOptions kEverything = {.interpolation = true,
                                           .points = 3,
                                           .norms = true,
                                           .alignment = true,
                                           .finetune_steps = 5,
                                           .finetune_every = 2,
                                           .rounds = InstrumentOptions::Rounds::kEvery};

TEST(Instruments, see_the_same_bits_on_any_number_of_ranks_whatever_the_method) {
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  for (const MergerEntry& entry : merger_table()) {
    if (!toy::suits(entry)) continue;
    const std::string method(entry.name);
    const Trace here = run(method, kEverything, world);
    EXPECT_EQ(described(here.measurements), described(run(method, kEverything, alone).measurements)) << method;
    EXPECT_FALSE(here.measurements.empty()) << method;
  }
}

TEST(Instruments, change_nothing_of_what_they_look_at) {
  const Comm world = MpiSession::world();
  for (const char* method : {"local", "joint", "average", "git-rebasin", "fleet-merge"}) {
    const Trace watched = run(method, kEverything, world);
    const Trace alone = run(method, {}, world);
    EXPECT_EQ(watched.merged, alone.merged) << method;
    EXPECT_EQ(watched.metrics, alone.metrics) << method;
    EXPECT_TRUE(alone.measurements.empty()) << method;
  }
}

TEST(Instruments, see_the_same_bits_in_a_cell_that_is_interrupted_and_resumed_on_other_ranks) {
  Comm world = MpiSession::world();
  Comm alone = world.split(world.rank());
  for (const char* method : {"local", "joint", "average", "git-rebasin", "fleet-merge"}) {
    const Trace whole = run(method, kEverything, alone);
    for (const int first_leg : {1, 60}) {
      MemoryStore store;
      Trace resumed{.interrupted = true};
      int legs = 0;
      for (; world.sum(resumed.interrupted ? 1 : 0) > 0; ++legs) {
        // Stopped when asked often enough, twice as often in every leg.
        int asked = 0;
        Comm& comm = legs % 2 == 0 ? world : alone;
        comm.set_stop_request([&] { return ++asked > first_leg << std::min(legs, 20); });
        resumed = run(method, kEverything, comm, {.when = {}, .store = &store});
        comm.set_stop_request(nullptr);
        store.share(world);
      }
      EXPECT_GT(legs, 1) << method << " was not interrupted";
      EXPECT_EQ(described(resumed.measurements), described(whole.measurements)) << method;
      EXPECT_EQ(resumed.metrics, whole.metrics) << method;
      EXPECT_EQ(resumed.merged, whole.merged) << method;
    }
  }
}

std::set<std::string> instruments_in(const Trace& trace) {
  std::set<std::string> names;
  for (const Measurement& m : trace.measurements) names.insert(m.instrument);
  return names;
}

TEST(Instruments, are_switched_on_one_by_one) {
  const Comm world = MpiSession::world();
  using Names = std::set<std::string>;
  EXPECT_EQ(instruments_in(run("fleet-merge", {.interpolation = true}, world)),
            (Names{"interpolation", "barrier", "barrier above line"}));
  EXPECT_EQ(instruments_in(run("fleet-merge", {.norms = true}, world)), Names{"norms"});
  EXPECT_EQ(instruments_in(run("fleet-merge", {.alignment = true}, world)), Names{"alignment"});
  EXPECT_EQ(instruments_in(run("fleet-merge", {.finetune_steps = 3}, world)), Names{"finetune"});
}

class MergedFleetTest : public testing::Test {
 protected:
  MergeOutcome merge(const std::string& method, MergeInput& input) {
    Settings settings;
    settings["merge.fleet-merge.epochs"].value = std::int64_t{3};
    settings["merge.fleet-merge.steps"].value = std::int64_t{4};
    SettingsReader reader(settings);
    input.wants_series = true;
    return find_merger(method).make(reader)->merge(input, world_);
  }

  Comm world_ = MpiSession::world();
  toy::ToyFleet fleet_{4, world_};
  std::vector<int> everybody_ = {0, 1, 2, 3};
};

TEST_F(MergedFleetTest, norms_are_those_of_the_tensors_and_do_not_vary_between_permuted_copies) {
  ParamVector original(fleet_.symmetry().layout());
  RandomStream stream(1, Purpose::kTest);
  for (float& w : original.flat()) w = static_cast<float>(stream.normal());
  fleet_.become_permuted_copies(original);
  double most = 0.0;
  for (const Measurement& m : weight_norms(fleet_.input(everybody_), &original, world_)) {
    double squares = 0.0;
    const std::size_t tensor = original.layout().index_of(m.subject);
    for (const double w : original.tensor(tensor)) squares += w * w;
    if (m.metric == "norm") {
      EXPECT_NEAR(m.value, std::sqrt(squares), 1e-6) << m.subject << ' ' << m.robot;
    }
    if (m.metric == "variation") {
      EXPECT_NEAR(m.value, 0.0, 1e-6) << m.subject << ' ' << m.robot;
    }
    if (m.metric == "difference") most = std::max(most, m.value);
    if (m.metric == "difference" && m.robot == 0) {
      EXPECT_EQ(m.value, 0.0);
    }
  }
  EXPECT_GT(most, 0.1) << "copies differ, their norms do not";
}

TEST_F(MergedFleetTest, norms_scale_as_the_weights_do) {
  for (std::size_t row = 0; row < fleet_.rows(); ++row) {
    for (std::size_t w = 0; w < fleet_.weights(row).flat().size(); ++w) {
      fleet_.weights(row).flat()[w] =
          static_cast<float>((1 + w % 5) * (1 + static_cast<std::size_t>(fleet_.index(row))));
    }
  }
  for (const Measurement& m : weight_norms(fleet_.input(everybody_), nullptr, world_)) {
    if (m.metric != "norm") {
      EXPECT_NEAR(m.value, m.robot, 1e-6) << "robot i holds i + 1 times the first's weights";
    }
  }
}

TEST_F(MergedFleetTest, aligned_copies_lie_on_the_consensus_and_apart_from_it_before) {
  ParamVector original(fleet_.symmetry().layout());
  RandomStream stream(2, Purpose::kTest);
  for (float& w : original.flat()) w = static_cast<float>(stream.normal());
  fleet_.become_permuted_copies(original);
  MergeInput input = fleet_.input(everybody_);
  const MergeOutcome outcome = merge("git-rebasin", input);
  double before = 0.0;
  for (const Measurement& m : alignment_summary(input, outcome, world_)) {
    if (m.metric == "distance" && m.subject == "after") {
      EXPECT_NEAR(m.value, 0.0, 1e-6) << m.robot;
    }
    if (m.metric == "distance" && m.subject == "before") before = std::max(before, m.value);
  }
  EXPECT_GT(before, 0.1);
}

TEST_F(MergedFleetTest, series_begin_at_the_start_and_say_what_happened) {
  MergeInput input = fleet_.input(everybody_);
  const AlignmentSeries matched = merge("git-rebasin", input).series;
  ASSERT_TRUE(matched.contains("distance"));
  EXPECT_EQ(matched.count("doubly stochastic"), 0U) << "weight matching never relaxes";
  EXPECT_EQ(matched.at("changes").front(), 0.0);
  EXPECT_GT(matched.at("changes")[1], 0.0);
  EXPECT_LT(matched.at("distance").back(), matched.at("distance").front());

  const AlignmentSeries series = merge("fleet-merge", input).series;
  for (const char* name : {"distance", "changes", "doubly stochastic"}) {
    ASSERT_TRUE(series.contains(name));
    EXPECT_EQ(series.at(name).size(), 4U) << name << ": the start and three epochs";
  }
  EXPECT_EQ(series.at("doubly stochastic").front(), 0.0) << "permutations are doubly stochastic";
  for (const double error : series.at("doubly stochastic")) EXPECT_LT(error, 0.2);
  input.wants_series = false;
  const Settings none;
  SettingsReader reader(none);
  EXPECT_TRUE(find_merger("fleet-merge").make(reader)->merge(input, world_).series.empty());
}

TEST(Finetune, starts_at_the_scores_of_its_start_and_ends_where_training_does) {
  const Comm world = MpiSession::world();
  toy::ToyWorkload workload({4, 5, 6});
  ParamVector start(workload.symmetry().layout());
  RandomStream stream(4, Purpose::kTest);
  for (float& w : start.flat()) w = static_cast<float>(stream.normal());
  const std::vector<Measurement> curve = finetune_curve(workload, &start, 7, 3, "merged", world);
  std::vector<double> steps;
  for (const Measurement& m : curve) steps.push_back(m.at);
  EXPECT_EQ(steps, (std::vector<double>{0, 3, 6, 7}));
  EXPECT_EQ(curve.front().value, test_together(workload, start, world)[0].value);

  AwakeRobot robot = toy::awake(workload.make_finetune_robot());
  robot.weights = start;
  robot.robot->expect(7);
  robot.train(7, [] { return false; });
  EXPECT_EQ(curve.back().value, test_together(workload, robot.weights, world)[0].value);
}

/// Every weight's slope is 1; a step moves each by it. Statistics of a normalisation, which have none, move as well.
struct Sliding final : LocalData {
  double loss_gradient(const ParamVector&, int, RandomStream&, ParamVector&) override { return 0.0; }
  Score held_out_score(const ParamVector&) override { return {}; }
  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t,
                         const GradientTerm* term) override {
    ParamVector gradient(start.shared_layout());
    std::ranges::fill(gradient.flat(), 1.0F);
    if (term != nullptr) term->add_to(start, gradient);
    ParamVector moved = start;
    for (std::size_t w = 0; w < moved.flat().size(); ++w) {
      moved.flat()[w] += static_cast<float>(steps.steps) * gradient.flat()[w];
    }
    taken.push_back(steps.steps);
    slopes.push_back(gradient);
    return moved;
  }
  std::vector<std::int64_t> taken;
  std::vector<ParamVector> slopes;
};

TEST(Personal, what_is_merged_is_frozen_and_the_rest_goes_on) {
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  toy::ToyWorkload workload({3});
  const std::vector<std::string> patterns = {"layers.0"};
  const SharedPart part(workload.symmetry(), workload.maps(), patterns);
  const ParamVector own(workload.symmetry().layout());
  const MergeOutcome outcome{.merged = own};
  Sliding robot;
  MergeInput robots{.symmetry = &workload.symmetry(), .participants = {0}};
  robots.rows.push_back({.robot = 0, .weights = &own, .samples = 3.0, .participates = true, .data = &robot});
  const RoundView view{.robots = robots, .outcome = &outcome, .shared = &part, .after_merge = [&](std::size_t row) {
                         return part.personal(outcome, row, own);
                       }};
  const std::vector<Measurement> measured = personal_curve(workload, view, 5, 3, alone);
  EXPECT_EQ(robot.taken, (std::vector<std::int64_t>{3, 5}));  // each from the start
  for (const ParamVector& slope : robot.slopes) {
    for (std::size_t t = 0; t < 3; ++t) {
      for (const float value : slope.tensor(t)) EXPECT_EQ(value, part.is_shared(t) ? 0.0F : 1.0F);
    }
  }
  std::vector<double> places;
  for (const Measurement& each : measured) {
    if (each.subject == "fleet") places.push_back(each.at);
  }
  EXPECT_EQ(places, (std::vector<double>{0, 3, 5}));
}

}  // namespace
}  // namespace fleet
