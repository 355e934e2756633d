// What merges cost is counted alike on any number of ranks, and is what the formulas say.
#include "merge/merge_cost.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "toy_fleet.hpp"

namespace fleet {
namespace {

using toy::ToyFleet;

std::unique_ptr<Merger> make_entry(const MergerEntry& entry, const Settings& settings = {}) {
  SettingsReader reader(settings);
  return entry.make(reader);
}

MergeCost cost_of(Merger& merger, ToyFleet& fleet, const std::vector<int>& participants, const Comm& comm) {
  MergeCost cost;
  MergeInput input = fleet.input(participants);
  input.cost = &cost;
  (void)merger.merge(input, comm);
  return cost;
}

TEST(MergeCost, is_the_same_on_any_number_of_ranks) {
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  for (const MergerEntry& entry : merger_table()) {
    if (entry.regime != Regime::kMerge || !toy::suits(entry)) continue;
    ToyFleet spread(5, world);
    ToyFleet together(5, alone);
    MergeCost apart = cost_of(*make_entry(entry), spread, {0, 1, 3}, world);
    MergeCost whole = cost_of(*make_entry(entry), together, {0, 1, 3}, alone);
    for (std::size_t kind = 0; kind < kCargos.size(); ++kind) {
      EXPECT_EQ(apart.bytes[kind].sent, whole.bytes[kind].sent) << entry.name << ' ' << kCargos[kind];
      EXPECT_EQ(apart.bytes[kind].received, whole.bytes[kind].received) << entry.name << ' ' << kCargos[kind];
    }
    const std::size_t sent = entry.name == "random" ? 0 : entry.name == "one-robot" ? 1 : 3;  // who sends weights
    EXPECT_GE(whole.of(Cargo::kWeights).sent, sent * sizeof(float) * toy::symmetry().layout()->size()) << entry.name;
    EXPECT_GE(whole.of(Cargo::kWeights).received, 3 * sizeof(float) * toy::symmetry().layout()->size()) << entry.name;
  }
}

/// What crosses ranks on behalf of one more robot is counted as its own, and few numbers besides. Not of models that
/// ranks match in turn, where a server that holds them all would need each once.
TEST(MergeCost, covers_what_ranks_send_each_other) {
  const Comm world = MpiSession::world();
  if (world.size() == 1) GTEST_SKIP() << "nothing crosses ranks";
  for (const MergerEntry& entry : merger_table()) {
    if (entry.regime != Regime::kMerge || !toy::suits(entry)) continue;
    if (make_entry(entry)->needs().exchange == Exchange::kInTurn) continue;
    const auto moved = [&](int robots, std::uint64_t& counted) {
      ToyFleet fleet(robots, world);
      std::vector<int> all;
      for (int i = 0; i < robots; ++i) all.push_back(i);
      const std::uint64_t before = world.bytes_moved();
      const MergeCost cost = cost_of(*make_entry(entry), fleet, all, world);
      counted = 0;
      for (const CargoBytes& bytes : cost.bytes) counted += bytes.sent + bytes.received;
      return world.sum(static_cast<std::int64_t>(world.bytes_moved() - before));
    };
    std::uint64_t counted = 0;
    const std::int64_t bytes = moved(world.size(), counted);
    EXPECT_LT(bytes, static_cast<std::int64_t>(3 * counted)) << entry.name << ": partial sums are of double precision";
  }
}

TEST(MergeCost, of_an_average_is_a_model_each_way) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const std::uint64_t model = sizeof(float) * fleet.symmetry().layout()->size();
  MergeCost cost = cost_of(*make_entry(find_merger("average")), fleet, {0, 1, 3}, world);
  EXPECT_EQ(cost.of(Cargo::kWeights).sent, 3 * model);
  EXPECT_EQ(cost.of(Cargo::kWeights).received, 3 * model);
  EXPECT_EQ(cost.of(Cargo::kMoments).sent, 0U);
}

TEST(MergeCost, of_matching_is_a_model_more_whatever_the_number_of_sweeps) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const std::uint64_t model = sizeof(float) * fleet.symmetry().layout()->size();
  MergeCost cost = cost_of(*make_entry(find_merger("git-rebasin")), fleet, {0, 1, 3}, world);
  EXPECT_EQ(cost.of(Cargo::kWeights).sent, 2 * 3 * model) << "to be matched, and to be averaged";
  EXPECT_EQ(cost.of(Cargo::kWeights).received, 3 * model);
  EXPECT_EQ(cost.of(Cargo::kScalars).received, 3 * sizeof(std::int32_t) * toy::kHidden) << "a permutation each";
}

TEST(MergeCost, of_moments_is_half_a_symmetric_matrix_and_a_whole_one) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  MergeCost cost = cost_of(*make_entry(find_merger("regmean")), fleet, {0, 1, 3}, world);
  constexpr std::uint64_t kWithBias = toy::kInputs + 1;
  constexpr std::uint64_t kFirst = kWithBias * (kWithBias + 1) / 2 + toy::kHidden * kWithBias;
  constexpr std::uint64_t kLast = toy::kHidden * (toy::kHidden + 1) / 2 + toy::kOutputs * toy::kHidden;
  EXPECT_EQ(cost.of(Cargo::kMoments).sent, 3 * (sizeof(float) * kFirst + sizeof(double) * kLast));
}

}  // namespace
}  // namespace fleet
