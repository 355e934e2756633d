// Laws that fleets of linear policies keep, whatever the method and the number of ranks.
#include <gtest/gtest.h>

#include <algorithm>

#include "awake.hpp"
#include "linear_fleet.hpp"
#include "lqg/expected_cost.hpp"
#include "memory_store.hpp"
#include "systems.hpp"
#include "train/round_loop.hpp"

namespace fleet {
namespace {

using namespace lqg_test;

TEST(GeneralLinear, disguised_policies_are_recovered_to_a_millionth_of_their_cost) {
  const Comm alone = MpiSession::world().split(MpiSession::world().rank());
  for (std::uint64_t trial = 0; trial < 5; ++trial) {
    const LinearSystem system = random_system(4, 12, 1.05, trial);
    const QuadraticCost cost = random_cost(system, trial);
    const SymmetrySpec symmetry = policy_symmetry(PolicyKind::kDynamic, system);
    RandomStream stream(trial, Purpose::kTest, 7);
    LinearPolicy policy = optimal_policy(system, cost);
    policy.b += 0.02 * gaussian(4, 12, stream);  // at the optimum small errors would not cost anything
    std::vector<ParamVector> weights(10, ParamVector(symmetry.layout()));
    MergeInput input{.symmetry = &symmetry, .seed = 1, .round = 1};
    for (int i = 0; i < 10; ++i) {
      ParamVector& own = weights[static_cast<std::size_t>(i)];
      to_weights(PolicyKind::kDynamic, policy.in_basis(invertible(4, stream)), own);
      input.participants.push_back(i);
      input.rows.push_back({i, &own, 1.0, true, nullptr});
    }
    const ParamVector merged = merger_called("gl")->merge(input, alone).merged;
    const double expected = expected_cost(system, cost, policy, 100);
    ASSERT_LT(expected, 10.0 * expected_cost(system, cost, optimal_policy(system, cost), 100));
    const double reached = expected_cost(system, cost, to_policy(PolicyKind::kDynamic, merged), 100);
    EXPECT_NEAR(reached / expected, 1.0, 1e-6) << trial;
  }
}

TEST(LqgRobot, training_in_two_goes_also_by_another_robot_is_training_at_once) {
  const LqgOptions options =
      options_of("fleet.robots = 1\nsystem.observations = 6\ndata.horizon = 15\ndata.trajectories = 2", 3);
  const std::unique_ptr<Workload> workload = make_lqg_workload(options);
  const auto never = [] { return false; };
  const auto whole = awake(*workload, 0);
  whole->train(30, never);
  const auto first = awake(*workload, 0);
  int left = 11;
  first->train(30, [&left] { return left-- == 0; });
  StateWriter kept;
  first->save(kept);
  const auto second = awake(*workload, 0);
  StateReader reader(kept.bytes());
  second->load(reader);
  second->train(19, never);
  EXPECT_TRUE(std::ranges::equal(whole->weights().flat(), second->weights().flat()));
  // What somebody else has set is gone on from as it is.
  first->weights() = awake(*workload, 0)->weights();
  first->train(30, never);
  EXPECT_TRUE(std::ranges::equal(whole->weights().flat(), first->weights().flat()));
}

TEST(LqgWorkload, finetunes_on_new_trajectories_of_every_task) {
  const std::unique_ptr<Workload> workload = make_lqg_workload(
      options_of("fleet.robots = 4\nsystem.observations = 6\ndata.horizon = 15\ndata.trajectories = 2\n"
                 "tasks.weights = [0.1, 1.0, 10.0]",
                 3));
  const std::unique_ptr<Robot> robot = workload->make_finetune_robot();
  EXPECT_EQ(robot->samples(), 6);
  ParamVector at(workload->symmetry().layout());
  robot->initialize(at);
  const double loss = robot->held_out_loss(at).sum;
  EXPECT_EQ(workload->make_finetune_robot()->held_out_loss(at).sum, loss);
  for (int i = 0; i < 4; ++i) EXPECT_NE(workload->make_robot(i)->held_out_loss(at).sum, loss);
}

TEST(LqgFleet, bases_of_the_last_merge_outlive_an_interruption) {
  const Comm world = MpiSession::world();
  Comm alone = world.split(world.rank());
  const LqgOptions options = options_of("fleet.robots = 3\nsystem.observations = 6\ndata.horizon = 15", 3);
  const std::unique_ptr<Merger> merger = merger_called("gl");
  const auto run = [&](int patience, MemoryStore& store) {
    int asked = 0;
    alone.set_stop_request([&] { return ++asked > patience; });
    const std::unique_ptr<Workload> workload = make_lqg_workload(options);
    CellResult result = run_cell({.robots = 3, .epochs = 4, .seed = 3}, Regime::kMerge, merger.get(), *workload, alone,
                                 [](const RoundRecord&) {}, {.when = {}, .store = &store});
    alone.set_stop_request(nullptr);
    return result;
  };
  MemoryStore unused;
  const CellResult whole = run(1000, unused);
  ASSERT_EQ(whole.bases.size(), 3U);
  EXPECT_NE(whole.bases[1], whole.bases[2]);
  for (int patience = 1;; ++patience) {
    MemoryStore store;
    try {
      (void)run(patience, store);
      EXPECT_GT(patience, 10) << "nothing was interrupted";
      break;
    } catch (const Interrupted&) {
      EXPECT_EQ(run(1000, store).bases, whole.bases) << "stopped after " << patience;
    }
  }
}

class EveryMethodOnLqg : public testing::TestWithParam<MergerEntry> {};

TEST_P(EveryMethodOnLqg, trains_and_merges_to_the_same_bits_on_any_number_of_ranks) {
  const std::string method(GetParam().name);
  if (const std::unique_ptr<Merger> merger = merger_called(method); merger != nullptr) {
    if (merger->needs().layers) GTEST_SKIP() << "asks for the layers of a network, which a recurrence does not have";
    if (merger->needs().asks.contains(Question::kGradientTerm)) {
      GTEST_SKIP() << "adds to the gradient that robots follow, which these do not";
    }
  }
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  const LqgOptions options = options_of(
      "fleet.robots = 5\nfleet.partition = \"mixture\"\nfleet.alpha = 0.5\nfleet.flipped = 0.4\n"
      "system.observations = 6\ndata.horizon = 15\ndata.trajectories = 2\ntasks.weights = [0.1, 1.0, 10.0]",
      3);
  const FleetOptions schedule{.robots = 5,
                              .epochs = 60,
                              .merge_every = 20,
                              .participation = 0.6,
                              .hand_back = FleetOptions::HandBack::kParticipants,
                              .local_tests = FleetOptions::LocalTests::kEvery,
                              .seed = 3};
  const auto outcome = [&](const Comm& comm) {
    const std::unique_ptr<Merger> merger = merger_called(
        method,
        "merge.fleet-merge.epochs = 2\nmerge.fleet-merge.steps = 3\nmerge.fleet-merge.batch_size = 2\n"
        "merge.sinkhorn-data.sweeps = 1\nmerge.sinkhorn-data.steps = 2\nmerge.sinkhorn-data.batch_size = 4");
    const std::unique_ptr<Workload> workload = make_lqg_workload(options);
    std::vector<double> metrics;
    const CellResult result =
        run_cell(schedule, GetParam().regime, merger.get(), *workload, comm, [&](const RoundRecord& round) {
          for (const Metric& metric : round.metrics) metrics.push_back(metric.value);
        });
    if (result.merged) metrics.insert(metrics.end(), result.merged->flat().begin(), result.merged->flat().end());
    return metrics;
  };
  const std::vector<double> apart = outcome(world);
  EXPECT_EQ(apart, outcome(alone));
  EXPECT_GT(apart.size(), 20U);
  for (const double value : apart) EXPECT_FALSE(std::isnan(value));
}

INSTANTIATE_TEST_SUITE_P(Table, EveryMethodOnLqg, testing::ValuesIn(merger_table().begin(), merger_table().end()),
                         [](const auto& tested) {
                           std::string name(tested.param.name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace fleet
