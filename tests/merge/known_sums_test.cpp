// What the fleet knows of robots' data is not sent again, and changes no bit of what is merged.
#include "merge/known_sums.hpp"

#include <gtest/gtest.h>

#include "merge/consensus.hpp"
#include "merge/rounds_after.hpp"
#include "toy_fleet.hpp"
#include "values.hpp"

namespace fleet {
namespace {

using toy::ToyFleet;

constexpr int kRobots = 5;
constexpr KnownSums::Key kKey{.map = 0};

/// Parts of `robots`, of which this rank adds up its own; robot `changed`'s is another than usual.
struct Parts {
  Parts(const std::vector<int>& robots, const Comm& comm, int changed = -1) {
    const Placement placement{.robots = kRobots, .ranks = comm.size()};
    for (const int robot : robots) {
      if (placement.owner(robot) != comm.rank()) continue;
      const double change = robot == changed ? 1e-15 : 0.0;
      numbers.push_back({1.0 + robot + change, 0.1 * robot, 1.0 / (3.0 + robot)});
      owners.push_back(robot);
    }
  }
  [[nodiscard]] std::vector<KnownSums::Part> list() const {
    std::vector<KnownSums::Part> all;
    for (std::size_t i = 0; i < numbers.size(); ++i) all.push_back({owners[i], numbers[i]});
    return all;
  }
  [[nodiscard]] std::vector<double> sum(const Comm& comm) const {
    std::vector<Comm::DoubleTerm> terms;
    for (const std::vector<double>& each : numbers) terms.push_back({each, 1.0});
    std::vector<double> total(3);
    comm.ordered_sum(terms, total);
    return total;
  }
  std::vector<std::vector<double>> numbers;
  std::vector<int> owners;
};

/// Whether a sum had to be sent; it is what it should be in any case.
bool sends(KnownSums& sums, const Parts& parts, const Comm& comm) {
  std::vector<double> total(3);
  const bool sent = sums.add_up(kKey, parts.list(), total, comm);
  EXPECT_EQ(total, parts.sum(comm));
  return sent;
}

TEST(KnownSums, are_sent_again_only_if_a_part_has_changed_or_is_missing_or_new) {
  const Comm world = MpiSession::world();
  const std::vector<int> all{0, 1, 2, 3, 4};
  KnownSums sums;
  EXPECT_TRUE(sends(sums, Parts(all, world), world));
  EXPECT_FALSE(sends(sums, Parts(all, world), world));
  for (const int robot : all) {
    EXPECT_TRUE(sends(sums, Parts(all, world, robot), world)) << robot;
    EXPECT_FALSE(sends(sums, Parts(all, world, robot), world)) << robot;
    std::vector<int> others = all;
    std::erase(others, robot);
    EXPECT_TRUE(sends(sums, Parts(others, world), world)) << robot;
    EXPECT_TRUE(sends(sums, Parts(all, world), world)) << robot;
  }
  std::vector<double> total(3);
  EXPECT_TRUE(sums.add_up({.map = 1}, Parts(all, world).list(), total, world)) << "another map's sum is another";
  EXPECT_TRUE(sums.add_up({.map = 0, .in_double = true}, Parts(all, world).list(), total, world)) << "so is this";
}

TEST(KnownSums, are_handed_back_once) {
  const Comm world = MpiSession::world();
  KnownSums sums;
  EXPECT_TRUE(sends(sums, Parts({0, 1}, world), world));
  EXPECT_TRUE(sums.hand_back(kKey));
  EXPECT_FALSE(sums.hand_back(kKey));
  EXPECT_FALSE(sends(sums, Parts({0, 1}, world), world));
  EXPECT_FALSE(sums.hand_back(kKey));
  EXPECT_TRUE(sends(sums, Parts({0, 1, 2}, world), world));
  EXPECT_TRUE(sums.hand_back(kKey)) << "it is another sum";
}

TEST(KnownSums, of_a_merge_that_is_not_through_are_not_saved) {
  const Comm world = MpiSession::world();
  const std::vector<int> all{0, 1, 2, 3, 4};
  const auto copy_of = [&](const KnownSums& sums) {
    KnownSums copy;
    for (int robot = kWholeFleet; robot < kRobots; ++robot) {
      if (robot != kWholeFleet && Placement{.robots = kRobots, .ranks = world.size()}.owner(robot) != world.rank())
        continue;
      StateWriter written;
      sums.save(robot, written);
      StateReader reader(written.bytes());
      copy.load(robot, reader);
      EXPECT_TRUE(reader.at_end());
    }
    return copy;
  };
  KnownSums sums;
  EXPECT_TRUE(sends(sums, Parts(all, world), world));
  EXPECT_TRUE(sums.hand_back(kKey));
  KnownSums begun_again = copy_of(sums);
  EXPECT_TRUE(sends(begun_again, Parts(all, world), world));
  sums.commit();
  KnownSums later = copy_of(sums);
  EXPECT_FALSE(sends(later, Parts(all, world), world));
  EXPECT_FALSE(later.hand_back(kKey));
}

struct Merged {
  std::vector<float> weights;
  std::uint64_t sent;  ///< moments
  std::uint64_t received;
};

/// One merge after another by one method; by a new one each time if it is to know nothing.
std::vector<Merged> merges(int count, bool knows, const std::vector<int>& participants) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(kRobots, world);
  const Settings none;
  const auto make = [&] {
    SettingsReader reader(none);
    return with_known_sums(find_merger("regression").make(reader));
  };
  std::unique_ptr<Merger> merger = make();
  std::vector<Merged> all;
  for (int k = 0; k < count; ++k) {
    if (!knows) merger = make();
    MergeCost cost;
    MergeInput input = fleet.input(participants);
    input.cost = &cost;
    const MergeOutcome outcome = merger->merge(input, world);
    all.push_back({values(outcome.merged), cost.of(Cargo::kMoments).sent, cost.of(Cargo::kMoments).received});
  }
  return all;
}

constexpr std::uint64_t kEntering = toy::kInputs + 1;
constexpr std::uint64_t kFirstLayer = sizeof(float) * kEntering * (kEntering + 1) / 2;

TEST(KnownSums, spare_a_second_regression_the_moments_of_the_data) {
  const std::vector<int> all{0, 1, 2, 3, 4};
  const std::vector<Merged> knowing = merges(2, true, all);
  const std::vector<Merged> forgetful = merges(2, false, all);
  for (std::size_t k = 0; k < 2; ++k) EXPECT_EQ(knowing[k].weights, forgetful[k].weights);
  EXPECT_EQ(forgetful[1].sent, forgetful[0].sent);
  EXPECT_EQ(knowing[0].sent, forgetful[0].sent);
  EXPECT_EQ(knowing[1].sent, forgetful[1].sent - kRobots * (kFirstLayer - 1)) << "but for a byte to say so";
}

TEST(KnownSums, are_shared_by_a_merge_and_the_rounds_after_it) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(kRobots, world);
  const Settings none;
  SettingsReader reader(none);
  const RoundsAfterOptions options{.rounds = 2, .kind = RoundsAfterOptions::Kind::kConsolidated, .steps = 5};
  const auto merger = with_known_sums(with_rounds_after(find_merger("regression").make(reader), options));
  ParamVector merged(fleet.symmetry().layout());
  std::vector<CargoBytes> moments;
  for (int after = 0; after <= options.rounds; ++after) {
    MergeCost cost;
    MergeInput input = fleet.input({0, 1, 2, 3, 4});
    input.round = 1 + after;
    input.after = after;
    if (after > 0) input.previous = &merged;
    input.cost = &cost;
    ParamVector next = merger->merge(input, world).merged;
    merged = std::move(next);
    moments.push_back(cost.of(Cargo::kMoments));
  }
  EXPECT_EQ(moments[1].sent, moments[2].sent) << "regression has sent them";
  EXPECT_EQ(moments[1].received, moments[2].received + kRobots * kFirstLayer) << "robots receive the sum once";
}

}  // namespace
}  // namespace fleet
