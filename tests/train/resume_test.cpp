// Interrupted anywhere and resumed on any number of ranks equals uninterrupted, bit for bit.
#include <gtest/gtest.h>

#include <array>
#include <numeric>

#include "base/error.hpp"
#include "measurements.hpp"
#include "memory_store.hpp"
#include "toy_fleet.hpp"
#include "train/evaluation.hpp"
#include "train/quick_merger.hpp"
#include "train/round_loop.hpp"

namespace fleet {
namespace {

using toy::ToyWorkload;

const std::vector<int> kSamples = {8, 5, 0, 9, 4, 6};  // robot 2 has no data

/// Tells of all that there is to see, and can be interrupted before it is done.
class Onlooker final : public RoundObserver {
 public:
  bool wants_series() const override { return true; }
  bool wants_all_robots(bool /*last_round*/) const override { return true; }
  std::vector<Measurement> observe(const RoundView& view, const Comm& comm) override {
    measured_.clear();
    std::vector<double> mine;  // by robot
    comm.together([&] {
      for (const MergeRow& row : view.robots.rows) {
        mine.push_back(row.participates ? row.samples : -row.samples);
        mine.push_back(sum_of(*row.weights));
      }
    });
    note("robots", comm.all_gather(mine));
    note("round", {{static_cast<double>(view.round), static_cast<double>(view.epoch), view.last ? 1.0 : 0.0}});
    if (view.outcome == nullptr) return std::move(measured_);
    mine.clear();
    for (const GroupElement& element : view.outcome->elements) {
      for (const Permutation& permutation : element) mine.insert(mine.end(), permutation.begin(), permutation.end());
    }
    note("elements", comm.all_gather(mine));
    note("merged", {{sum_of(view.outcome->merged), static_cast<double>(view.outcome->iterations)}});
    note("objective", view.outcome->objective);
    for (const auto& [name, values] : view.outcome->series) note(name, values);
    return std::move(measured_);
  }

 private:
  static double sum_of(const ParamVector& weights) {
    return std::accumulate(weights.flat().begin(), weights.flat().end(), 0.0);
  }
  void note(const std::string& subject, const std::vector<double>& values) {
    for (const double value : values) {
      measured_.push_back({.instrument = "onlooker", .subject = subject, .metric = "seen", .value = value});
    }
  }
  std::vector<Measurement> measured_;
};

struct Outcome {
  bool interrupted = false;
  std::vector<RoundRecord> rounds;
  std::vector<float> merged;
  std::vector<std::pair<int, GroupElement>> elements;  // of this rank's robots
};

Outcome run(const FleetOptions& options, const std::string& method, const Comm& comm,
            const Checkpointing& checkpointing = {}) {
  ToyWorkload workload(kSamples);
  const std::unique_ptr<Merger> merger = toy::quick_merger(method, options.rounds_after);
  Onlooker onlooker;
  RoundObserver* const observers[] = {&onlooker};
  Outcome outcome;
  try {
    const CellResult result = run_cell(
        options, find_merger(toy::plain_name(method)).regime, merger.get(), workload, comm,
        [&](const RoundRecord& round) { outcome.rounds.push_back(round); }, checkpointing, observers);
    if (result.merged) outcome.merged.assign(result.merged->flat().begin(), result.merged->flat().end());
    for (std::size_t i = 0; i < result.elements.size(); ++i) {
      outcome.elements.emplace_back(result.robots[i], result.elements[i]);
    }
  } catch (const Interrupted&) {
    outcome.interrupted = true;
  }
  return outcome;
}

void expect_same(const Outcome& a, const Outcome& b, const std::string& what) {
  EXPECT_EQ(a.merged, b.merged) << what;
  ASSERT_EQ(a.rounds.size(), b.rounds.size()) << what;
  for (std::size_t r = 0; r < a.rounds.size(); ++r) {
    EXPECT_EQ(a.rounds[r].round, b.rounds[r].round) << what;
    EXPECT_EQ(a.rounds[r].epoch, b.rounds[r].epoch) << what;
    EXPECT_EQ(a.rounds[r].participants, b.rounds[r].participants) << what;
    EXPECT_EQ(a.rounds[r].merge_iterations, b.rounds[r].merge_iterations) << what;
    EXPECT_EQ(a.rounds[r].cost.steps, b.rounds[r].cost.steps) << what;
    for (std::size_t kind = 0; kind < kCargos.size(); ++kind) {
      EXPECT_EQ(a.rounds[r].cost.bytes[kind].sent, b.rounds[r].cost.bytes[kind].sent) << what;
      EXPECT_EQ(a.rounds[r].cost.bytes[kind].received, b.rounds[r].cost.bytes[kind].received) << what;
    }
    EXPECT_FALSE(a.rounds[r].measurements.empty()) << what;
    EXPECT_EQ(described(a.rounds[r].measurements), described(b.rounds[r].measurements)) << what;
    ASSERT_EQ(a.rounds[r].metrics.size(), b.rounds[r].metrics.size()) << what;
    for (std::size_t m = 0; m < a.rounds[r].metrics.size(); ++m) {
      EXPECT_EQ(a.rounds[r].metrics[m].robot, b.rounds[r].metrics[m].robot) << what;
      EXPECT_EQ(a.rounds[r].metrics[m].name, b.rounds[r].metrics[m].name) << what;
      EXPECT_EQ(a.rounds[r].metrics[m].value, b.rounds[r].metrics[m].value) << what;
    }
  }
}

class ResumeTest : public testing::Test {
 protected:
  /// Runs in legs, on all ranks, each alone, and in two halves in turn, until one comes to the end: each is stopped
  /// after being asked whether to stop twice as often as the last one was.
  Outcome run_in_legs(const FleetOptions& options, const std::string& method, int first_leg) {
    MemoryStore store;
    Outcome outcome;
    for (int leg = 0;; ++leg) {
      int asked = 0;
      const int patience = first_leg << std::min(leg, 24);
      const auto stop = [&] { return ++asked > patience + world_.rank(); };
      Comm& comm = *comms_[static_cast<std::size_t>(leg) % comms_.size()];
      comm.set_stop_request(stop);
      outcome = run(options, method, comm, {.when = {}, .store = &store});
      comm.set_stop_request(nullptr);
      store.share(world_);
      legs_ += 1;
      if (world_.sum(outcome.interrupted ? 1 : 0) == 0) return outcome;
      EXPECT_TRUE(store.warnings.empty());
    }
  }

  Comm world_ = MpiSession::world();
  Comm half_ = world_.split(world_.rank() % 2);
  Comm alone_ = world_.split(world_.rank());
  std::vector<Comm*> comms_ = {&world_, &alone_, &half_};
  FleetOptions options_{.robots = 6,
                        .epochs = 5,
                        .merge_every = 2,
                        .participation = 0.6,
                        .local_tests = FleetOptions::LocalTests::kEvery};
  int legs_ = 0;
};

TEST_F(ResumeTest, interrupted_anywhere_and_resumed_on_other_ranks_equals_uninterrupted) {
  for (const MergerEntry& entry : merger_table()) {
    if (!toy::suits(entry)) continue;
    const std::string method(entry.name);
    for (const auto moments :
         {FleetOptions::Moments::kReset, FleetOptions::Moments::kKeep, FleetOptions::Moments::kAverage}) {
      options_.moments = moments;
      options_.hand_back = moments == FleetOptions::Moments::kAverage ? FleetOptions::HandBack::kAll
                                                                      : FleetOptions::HandBack::kParticipants;
      options_.trainees = moments == FleetOptions::Moments::kKeep ? FleetOptions::Trainees::kParticipants
                                                                  : FleetOptions::Trainees::kAll;
      const Outcome whole = run(options_, method, alone_);
      for (const int first_leg : {1, 4, 30}) {
        legs_ = 0;
        expect_same(run_in_legs(options_, method, first_leg), whole, cat(method, " in legs from ", first_leg));
        EXPECT_GT(legs_, 1) << "nothing was interrupted";
      }
    }
  }
}

TEST_F(ResumeTest, what_rounding_has_lost_of_weights_is_kept) {
  options_.rounds_after = 2;
  for (const std::string method : {"average:int8", "git-rebasin:int8", "regression:bfloat16", "scaffold:int8"}) {
    const Outcome whole = run(options_, method, alone_);
    EXPECT_NE(whole.merged, run(options_, toy::plain_name(method), alone_).merged) << "nothing was rounded";
    for (const int first_leg : {1, 4, 30}) {
      expect_same(run_in_legs(options_, method, first_leg), whole, cat(method, " in legs from ", first_leg));
    }
  }
}

TEST_F(ResumeTest, what_another_method_has_trained_is_as_good_as_what_this_one_would_have) {
  options_.merge_every = 0;
  options_.rounds_after = 2;
  MemoryStore trained;
  (void)run(options_, "average", half_, {.training = &trained});
  trained.share(world_);
  EXPECT_EQ(trained.commits, half_.is_root() ? 1 : 0);
  const int steps = [&] {
    ToyWorkload workload(kSamples);
    std::int64_t all = 0;
    for (int robot = 0; robot < options_.robots; ++robot) all += workload.steps_per_epoch(robot);
    return static_cast<int>(all) * options_.epochs;
  }();
  for (const MergerEntry& entry : merger_table()) {
    if (!toy::suits(entry) || entry.regime == Regime::kJoint) continue;
    const std::string method(entry.name);
    int asked = 0;
    alone_.set_stop_request([&] { return ++asked < 0; });
    const Outcome whole = run(options_, method, alone_);
    const int by_itself = std::exchange(asked, 0);
    expect_same(run(options_, method, alone_, {.training = &trained}), whole, method);
    EXPECT_LE(asked, by_itself - steps) << method << " has trained all the same";
    alone_.set_stop_request(nullptr);
    expect_same(run(options_, method, world_, {.training = &trained}), whole, method);
  }
}

TEST_F(ResumeTest, who_comes_first_is_trained_though_a_method_has_seen_others_only) {
  // Of participants alone, and with robots that are late: who is not drawn has neither trained nor woken.
  options_.merge_every = 0;
  options_.trainees = FleetOptions::Trainees::kParticipants;
  options_.late = 0.5;
  for (const std::string first : {"average", "git-rebasin"}) {
    MemoryStore trained;
    ToyWorkload workload(kSamples);
    const std::unique_ptr<Merger> merger = toy::quick_merger(first);  // looked at by nobody, who would see all robots
    (void)run_cell(options_, Regime::kMerge, merger.get(), workload, alone_, [](const RoundRecord&) {},
                   {.training = &trained});
    for (const std::string method : {"average", "scaffold", "regression", "fleet-merge"}) {
      const Outcome whole = run(options_, method, alone_);
      expect_same(run(options_, method, alone_, {.training = &trained}), whole, cat(method, " after ", first));
    }
  }
}

TEST_F(ResumeTest, a_training_that_cannot_be_read_to_its_end_is_done_anew) {
  options_.merge_every = 0;
  const Outcome whole = run(options_, "average", alone_);
  MemoryStore trained;
  (void)run(options_, "average", alone_, {.training = &trained});
  trained.records[3] += "more than a robot writes";
  expect_same(run(options_, "average", world_, {.training = &trained}), whole, "average");
  EXPECT_EQ(trained.warnings.size(), world_.is_root() ? 1U : 0U);
}

TEST_F(ResumeTest, a_training_that_cannot_be_kept_costs_nothing_else) {
  options_.merge_every = 0;
  MemoryStore trained;
  trained.full = true;
  const Outcome whole = run(options_, "average", alone_);
  expect_same(run(options_, "average", alone_, {.training = &trained}), whole, "average");
  EXPECT_EQ(trained.warnings, std::vector<std::string>{"the store is full"});
}

TEST_F(ResumeTest, robots_at_rest_wake_as_if_nothing_had_been_interrupted) {
  options_.trainees = FleetOptions::Trainees::kParticipants;
  for (const std::string method : {"average", "git-rebasin", "regression"}) {
    for (const auto moments : {FleetOptions::Moments::kReset, FleetOptions::Moments::kAverage}) {
      options_.moments = moments;
      options_.late = moments == FleetOptions::Moments::kAverage ? 0.5 : 0.0;
      const Outcome whole = run(options_, method, alone_);
      for (const int first_leg : {1, 4, 30}) {
        expect_same(run_in_legs(options_, method, first_leg), whole, cat(method, " in legs from ", first_leg));
      }
    }
  }
}

TEST_F(ResumeTest, robots_with_a_part_of_their_own_go_on_as_if_nothing_had_been_interrupted) {
  options_.parameters = {"!layers.1"};
  for (const std::string method : {"average", "git-rebasin", "fleet-merge", "regression"}) {
    for (const auto hand_back : {FleetOptions::HandBack::kAll, FleetOptions::HandBack::kParticipants}) {
      options_.hand_back = hand_back;
      options_.late = hand_back == FleetOptions::HandBack::kAll ? 0.5 : 0.0;
      const Outcome whole = run(options_, method, alone_);
      for (const int first_leg : {1, 4, 30}) {
        expect_same(run_in_legs(options_, method, first_leg), whole, cat(method, " in legs from ", first_leg));
      }
    }
  }
}

TEST_F(ResumeTest, a_cell_that_its_target_ends_does_so_also_after_interruptions) {
  options_.merge_every = 1;
  options_.local_tests = FleetOptions::LocalTests::kLast;
  const Outcome plain = run(options_, "average", alone_);
  options_.target = Target{.metric = "loss", .at_least = false, .value = plain.rounds[2].metrics.front().value};
  options_.stop_at_target = true;
  const Outcome whole = run(options_, "average", alone_);
  EXPECT_LE(whole.rounds.size(), 3U);
  for (const int first_leg : {1, 4, 30}) {
    expect_same(run_in_legs(options_, "average", first_leg), whole, cat("in legs from ", first_leg));
  }
}

TEST_F(ResumeTest, a_checkpoint_between_rounds_holds_the_consensus_once_and_no_weights_of_robots_at_rest) {
  const auto size_of = [&](int robots, double participation) {
    ToyWorkload workload(std::vector<int>(static_cast<std::size_t>(robots), 3));
    const FleetOptions options{.robots = robots,
                               .epochs = 4,
                               .merge_every = 1,
                               .participation = participation,
                               .trainees = FleetOptions::Trainees::kParticipants,
                               .local_tests = FleetOptions::LocalTests::kNever};
    const std::unique_ptr<Merger> merger = toy::quick_merger("average");
    MemoryStore store;
    run_cell(options, Regime::kMerge, merger.get(), workload, world_, [](const RoundRecord& /*round*/) {},
             {.when = {.every_rounds = 3}, .store = &store});
    store.share(world_);
    std::size_t bytes = 0;
    for (const std::string& record : store.records) bytes += record.size();
    return bytes;
  };
  const std::size_t weights = toy::symmetry().layout()->size() * sizeof(float);
  const std::size_t few = size_of(10, 0.2);
  EXPECT_GT(few, weights);
  EXPECT_LT(size_of(500, 0.004), few + weights / 2) << "two of 500 a round";
  EXPECT_LT(size_of(100, 1.0), few + 100 * weights / 3) << "all have trained, and all have gone back";
}

TEST_F(ResumeTest, rounds_after_the_last_merge_are_resumed_too) {
  options_.rounds_after = 2;
  for (const std::string method : {"average", "regression"}) {
    const Outcome whole = run(options_, method, alone_);
    EXPECT_EQ(whole.rounds.size(), 3U + 2U);
    for (const int first_leg : {1, 30}) {
      expect_same(run_in_legs(options_, method, first_leg), whole, cat(method, " in legs from ", first_leg));
    }
  }
}

TEST_F(ResumeTest, permutations_of_the_last_merge_outlive_an_interruption) {
  // Stopped while the last consensus is tested: the merge itself is over.
  MemoryStore store;
  const Outcome whole = run(options_, "git-rebasin", world_);
  for (int patience = 1;; ++patience) {
    int asked = 0;
    alone_.set_stop_request([&] { return ++asked > patience; });
    const Outcome outcome = run(options_, "git-rebasin", alone_, {.when = {}, .store = &store});
    alone_.set_stop_request(nullptr);
    if (!outcome.interrupted) break;
    const Outcome rest = run(options_, "git-rebasin", alone_, {.when = {}, .store = &store});
    ASSERT_EQ(rest.elements.size(), kSamples.size()) << "stopped after " << patience;
    for (const auto& [robot, element] : whole.elements) {
      EXPECT_EQ(rest.elements[static_cast<std::size_t>(robot)].second, element) << "stopped after " << patience;
    }
    store.records.clear();
  }
}

TEST_F(ResumeTest, tests_stop_after_the_part_under_way) {
  struct Counting final : ToyWorkload {
    Counting() : ToyWorkload(kSamples) {}
    std::vector<Score> test_scores(const ParamVector& weights, int part) override {
      ++tested;
      return ToyWorkload::test_scores(weights, part);
    }
    int tested = 0;
  };
  for (Comm* comm : comms_) {
    Counting workload;
    const ParamVector weights(workload.symmetry().layout());
    const auto mine = [&](std::size_t /*i*/, ParamVector& /*scratch*/) -> const ParamVector& { return weights; };
    comm->set_stop_request([&] { return workload.tested > 0; });
    EXPECT_THROW((void)test_together(workload, weights, *comm), Interrupted);
    EXPECT_LE(workload.tested, 1);
    workload.tested = 0;
    EXPECT_THROW((void)test_fleet(workload, std::array{0}, mine, nullptr, *comm), Interrupted);
    EXPECT_EQ(workload.tested, 1);
    comm->set_stop_request(nullptr);
  }
}

TEST_F(ResumeTest, checkpoints_by_rounds_and_by_minutes_change_nothing) {
  const Outcome whole = run(options_, "regression", world_);
  MemoryStore by_rounds;
  expect_same(run(options_, "regression", world_, {.when = {.every_rounds = 1}, .store = &by_rounds}), whole, "rounds");
  EXPECT_EQ(by_rounds.commits, world_.is_root() ? 2 : 0) << "after each round but the last";
  MemoryStore by_minutes;
  expect_same(run(options_, "regression", world_, {.when = {.every_minutes = 1e-9}, .store = &by_minutes}), whole,
              "minutes");
  EXPECT_GT(by_minutes.commits, world_.is_root() ? 10 : -1) << "within rounds, too";
}

TEST_F(ResumeTest, a_checkpoint_that_cannot_be_written_is_a_warning) {
  MemoryStore store;
  store.full = true;
  const Outcome whole = run(options_, "average", world_);
  expect_same(run(options_, "average", world_, {.when = {.every_rounds = 1}, .store = &store}), whole, "full");
  EXPECT_EQ(store.commits, 0);
  EXPECT_EQ(store.warnings, std::vector<std::string>(world_.is_root() ? 2 : 0, "the store is full"));
}

TEST_F(ResumeTest, the_checkpoint_of_another_fleet_is_refused) {
  MemoryStore store;
  run(options_, "average", alone_, {.when = {.every_rounds = 1}, .store = &store});
  options_.robots = 5;
  EXPECT_THROW(run(options_, "average", alone_, {.when = {}, .store = &store}), Error);
}

}  // namespace
}  // namespace fleet
