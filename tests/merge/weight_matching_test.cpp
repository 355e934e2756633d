// Git Re-Basin's laws: copies are found, the objective falls, nearness is kept; whatever the number of ranks.
#include "merge/weight_matching.hpp"

#include <gtest/gtest.h>

#include "merge/alignment.hpp"
#include "merge/consensus.hpp"
#include "toy_fleet.hpp"

namespace fleet {
namespace {

TEST(MatchWeights, recovers_the_permutation_of_a_copy) {
  const SymmetrySpec symmetry = toy::symmetry();
  for (std::uint64_t draw = 0; draw < 20; ++draw) {
    RandomStream stream(draw, Purpose::kTest);
    ParamVector weights(symmetry.layout());
    for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
    const GroupElement element = symmetry.random(stream);
    const GroupElement found =
        match_weights(symmetry, symmetry.apply(element, weights), weights, symmetry.identity(), stream);
    EXPECT_EQ(found, symmetry.inverse(element));
  }
}

/// Five layers in a row: each hidden group acts on two tensors, which it shares with its neighbours.
SymmetrySpec deep() {
  constexpr std::size_t kHidden = 4;
  constexpr int kUnits = 9;
  auto layout = std::make_shared<ParamLayout>();
  std::vector<SymmetryGroup> groups;
  std::vector<SymmetryAction> actions;
  for (std::size_t layer = 0; layer <= kHidden; ++layer) {
    layout->add("layer" + std::to_string(layer), {kUnits, kUnits});
    if (layer > 0) actions.push_back({.tensor = layer, .axis = 1, .group = layer - 1});
    if (layer == kHidden) break;
    groups.push_back({"hidden" + std::to_string(layer), kUnits});
    actions.push_back({.tensor = layer, .axis = 0, .group = layer});
  }
  return {layout, groups, actions};
}

TEST(MatchWeights, ends_where_no_group_gains_by_itself) {
  const SymmetrySpec symmetry = deep();
  for (std::uint64_t draw = 0; draw < 20; ++draw) {
    RandomStream stream(draw, Purpose::kTest);
    ParamVector weights(symmetry.layout());
    ParamVector reference(symmetry.layout());
    for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
    for (float& w : reference.flat()) w = static_cast<float>(stream.normal());
    const GroupElement found = match_weights(symmetry, weights, reference, symmetry.identity(), stream);
    EXPECT_NE(found, symmetry.identity());
    EXPECT_EQ(match_weights(symmetry, weights, reference, found, stream), found);
  }
}

TEST(MatchWeights, recovers_attention_heads_and_the_dimensions_within_them) {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("query", {12, 6});
  layout->add("out", {5, 12});
  std::vector<SymmetryGroup> groups;
  std::vector<SymmetryAction> actions;
  for (std::size_t head = 0; head < 3; ++head) {
    const int place = static_cast<int>(head);
    groups.push_back({.name = "head", .size = 4, .parent = 3, .block = place});
    actions.push_back({.tensor = 0, .axis = 0, .group = head, .offset = 4 * place});
    actions.push_back({.tensor = 1, .axis = 1, .group = head, .offset = 4 * place});
  }
  groups.push_back({"heads", 3});
  actions.push_back({.tensor = 0, .axis = 0, .group = 3, .inner = 4});
  actions.push_back({.tensor = 1, .axis = 1, .group = 3, .inner = 4});
  const SymmetrySpec symmetry(layout, groups, actions);
  for (std::uint64_t draw = 0; draw < 10; ++draw) {
    RandomStream stream(draw, Purpose::kTest);
    ParamVector weights(layout);
    for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
    const GroupElement element = symmetry.random(stream);
    EXPECT_EQ(match_weights(symmetry, symmetry.apply(element, weights), weights, symmetry.random(stream), stream),
              symmetry.inverse(element));
  }
}

/// A hidden state of five units with a recurrent weight: the group acts on both of its axes.
SymmetrySpec recurrent() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("in", {5, 3});
  layout->add("state", {5, 5});
  return {layout,
          {{"state", 5}},
          {{.tensor = 0, .axis = 0, .group = 0},
           {.tensor = 1, .axis = 0, .group = 0},
           {.tensor = 1, .axis = 1, .group = 0}}};
}

double inner_product(const ParamVector& a, const ParamVector& b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.flat().size(); ++i) sum += static_cast<double>(a.flat()[i] * b.flat()[i]);
  return sum;
}

TEST(MatchWeights, never_loses_what_it_started_from_also_with_recurrent_weights) {
  const SymmetrySpec symmetry = recurrent();
  int recovered = 0;
  for (std::uint64_t draw = 0; draw < 50; ++draw) {
    RandomStream stream(draw, Purpose::kTest);
    ParamVector a(symmetry.layout());
    ParamVector b(symmetry.layout());
    for (float& w : a.flat()) w = static_cast<float>(stream.normal());
    for (float& w : b.flat()) w = static_cast<float>(stream.normal());
    const GroupElement start = symmetry.random(stream);
    const GroupElement found = match_weights(symmetry, b, a, start, stream);
    EXPECT_GE(inner_product(symmetry.apply(found, b), a), inner_product(symmetry.apply(start, b), a) - 1e-5);
    const GroupElement element = symmetry.random(stream);
    const GroupElement back = match_weights(symmetry, symmetry.apply(element, a), a, symmetry.identity(), stream);
    recovered += back == symmetry.inverse(element) ? 1 : 0;
  }
  EXPECT_GE(recovered, 25);  // a quadratic assignment: coordinate descent can end in a local optimum
}

TEST(MatchFleet, the_robots_come_nearer_sweep_by_sweep) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(7, world);
  const MatchedFleet matched = match_fleet(fleet.input({0, 1, 2, 3, 5, 6}), world);
  ASSERT_GE(matched.objective.size(), 2U);
  for (std::size_t i = 1; i < matched.objective.size(); ++i) {
    EXPECT_LT(matched.objective[i], matched.objective[i - 1]);
  }
}

TEST(MatchFleet, ends_sooner_where_steps_must_gain_more_and_nearly_as_near) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(7, world);
  const MergeInput input = fleet.input({0, 1, 2, 3, 5, 6});
  const MatchedFleet exact = match_fleet(input, world);
  const MatchedFleet rough = match_fleet(input, world, {.least_gain = 0.1});
  EXPECT_LT(rough.sweeps, exact.sweeps);
  const double reached = exact.objective.front() - exact.objective.back();
  EXPECT_GT(rough.objective.front() - rough.objective.back(), 0.7 * reached);
  for (const GroupElement& element : match_fleet(input, world, {.least_gain = 1e9}).elements) {
    EXPECT_EQ(element, fleet.symmetry().identity());
  }
}

TEST(MatchFleet, permuted_copies_end_at_one_point) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(4, world);
  ParamVector original(fleet.symmetry().layout());
  RandomStream stream(8, Purpose::kTest);
  for (float& w : original.flat()) w = static_cast<float>(stream.normal());
  fleet.become_permuted_copies(original);
  EXPECT_LT(match_fleet(fleet.input({0, 1, 2, 3}), world).objective.back(), 1e-6);
}

TEST(MatchFleet, robots_near_each_other_stay_as_they_are) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(5, world);
  for (std::size_t row = 0; row < fleet.rows(); ++row) {  // a common initialisation, then a little training
    RandomStream common(9, Purpose::kTest);
    RandomStream own(10, Purpose::kTest, static_cast<std::uint64_t>(fleet.index(row)));
    for (float& w : fleet.weights(row).flat()) w = static_cast<float>(common.normal() + 0.05 * own.normal());
  }
  for (const GroupElement& element : match_fleet(fleet.input({0, 1, 2, 3, 4}), world).elements) {
    EXPECT_EQ(element, fleet.symmetry().identity());
  }
}

TEST(AlignFleet, keeps_to_the_basis_of_the_previous_consensus) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(4, world);
  MergeInput input = fleet.input({0, 1, 3});
  const std::vector<GroupElement> free = align_fleet(Alignment::kGitRebasin, input, world);
  const ParamVector mean = aligned_mean(input, free, true, world);
  RandomStream stream(11, Purpose::kTest);
  const GroupElement element = fleet.symmetry().random(stream);
  const ParamVector previous = fleet.symmetry().apply(element, mean);
  input.previous = &previous;
  const std::vector<GroupElement> anchored = align_fleet(Alignment::kGitRebasin, input, world);
  for (std::size_t row = 0; row < fleet.rows(); ++row) {
    if (!input.rows[row].participates) continue;
    EXPECT_EQ(anchored[row], fleet.symmetry().compose(element, free[row]));
  }
}

}  // namespace
}  // namespace fleet
