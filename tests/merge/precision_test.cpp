// Weights that robots send in fewer bits: what rounding may do, and that nothing it loses is lost for good.
#include "merge/precision.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

#include "merge/methods.hpp"
#include "toy_fleet.hpp"
#include "values.hpp"

namespace fleet {
namespace {

using toy::ToyFleet;

constexpr std::array kRounded = {Precision::kBfloat16, Precision::kInt8};

ParamVector drawn_weights(std::uint64_t seed) {
  ParamVector weights(toy::symmetry().layout());
  RandomStream stream(seed, Purpose::kTest);
  for (float& weight : weights.flat()) weight = static_cast<float>(stream.normal());
  return weights;
}

/// Half a step of the coarsest row that a weight may lie in.
float bound(Precision precision, const ParamVector& weights) {
  float largest = 0.0F;
  for (const float weight : weights.flat()) largest = std::max(largest, std::abs(weight));
  return precision == Precision::kInt8 ? largest / 254.0F : largest / 256.0F;
}

TEST(RoundedWeights, are_the_nearest_of_those_there_are) {
  for (const Precision precision : kRounded) {
    const ParamVector weights = drawn_weights(1);
    ParamVector rounded = weights;
    round_weights(precision, rounded.layout(), {}, rounded.flat());
    EXPECT_NE(values(rounded), values(weights));
    for (std::size_t w = 0; w < weights.flat().size(); ++w) {
      EXPECT_NEAR(rounded.flat()[w], weights.flat()[w], 1.0001F * bound(precision, weights));
    }
    ParamVector again = rounded;
    round_weights(precision, again.layout(), {}, again.flat());
    for (std::size_t w = 0; w < weights.flat().size(); ++w) {
      EXPECT_NEAR(again.flat()[w], rounded.flat()[w], 1e-6F) << "what is rounded stays as it is";
    }
  }
  ParamVector zero(toy::symmetry().layout());
  round_weights(Precision::kInt8, zero.layout(), {}, zero.flat());
  EXPECT_EQ(values(zero), values(ParamVector(toy::symmetry().layout())));
}

TEST(RoundedWeights, of_one_row_do_not_depend_on_another) {
  ParamVector weights = drawn_weights(2);
  ParamVector louder = weights;
  for (int i = 0; i < toy::kInputs; ++i) louder.tensor(0)[static_cast<std::size_t>(i)] *= 1000.0F;
  round_weights(Precision::kInt8, weights.layout(), {}, weights.flat());
  round_weights(Precision::kInt8, louder.layout(), {}, louder.flat());
  for (std::size_t w = toy::kInputs; w < weights.flat().size(); ++w) {
    EXPECT_EQ(weights.flat()[w], louder.flat()[w]) << w;
  }
}

TEST(RoundedWeights, leave_the_statistics_of_batch_normalisation_as_they_are) {
  ParamLayout layout;
  layout.add("weight", {2, 3});
  layout.add("gain", {2});
  layout.add("shift", {2});
  layout.add("mean", {2});
  layout.add("variance", {2});
  const std::vector<AffineMap> maps = {
      {.name = "map", .weights = {0}, .bias = {}, .norm = BatchNorm{.scale = 1, .shift = 2, .mean = 3, .variance = 4}}};
  const std::vector<float> before = {1.0F, 0.3F, 0.2F, 0.1F, 5.0F,  0.2F, 1.1F,
                                     0.9F, 0.1F, 0.3F, 4.0F, 0.01F, 9.0F, 0.02F};
  for (const Precision precision : kRounded) {
    std::vector<float> after = before;
    round_weights(precision, layout, maps, after);
    EXPECT_TRUE(std::equal(after.begin() + 10, after.end(), before.begin() + 10));
    EXPECT_FALSE(std::equal(after.begin(), after.begin() + 10, before.begin()));
    EXPECT_EQ(weight_bytes(precision, layout, maps), precision == Precision::kInt8 ? 10 + 4 * 4 + 16 : 20 + 16);
  }
}

TEST(RoundedWeights, take_as_many_bytes_as_they_say) {
  const SymmetrySpec symmetry = toy::symmetry();
  const ParamLayout& layout = *symmetry.layout();
  constexpr std::uint64_t kRows = toy::kHidden + 1 + toy::kOutputs;  // a vector is one row
  EXPECT_EQ(weight_bytes(Precision::kFloat32, layout, {}), 4 * layout.size());
  EXPECT_EQ(weight_bytes(Precision::kBfloat16, layout, {}), 2 * layout.size());
  EXPECT_EQ(weight_bytes(Precision::kInt8, layout, {}), layout.size() + 4 * kRows);
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const ParamVector center(fleet.symmetry().layout());
  for (const Precision precision : kRounded) {
    MergeInput input = fleet.input({0, 1, 3});
    MergeCost cost;
    input.center = &center;
    input.cost = &cost;
    (void)with_precision(make_method("average"), precision)->merge(input, world);
    EXPECT_EQ(cost.of(Cargo::kWeights).sent, 3 * weight_bytes(precision, layout, {}));
    EXPECT_EQ(cost.of(Cargo::kWeights).received, 3 * 4 * layout.size()) << "the merged policy comes back as it is";
  }
}

/// Robots that want to send the same again and again: what has arrived by then differs from it by the last loss alone,
/// where rounding without feedback errs by as much each time.
TEST(ErrorFeedback, makes_good_what_rounding_has_lost) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const ParamVector center = drawn_weights(3);
  MergeInput input = fleet.input({0, 1, 2, 3});
  input.center = &center;
  const ParamVector exact = make_method("average")->merge(input, world).merged;
  constexpr int kRounds = 50;
  for (const Precision precision : kRounded) {
    const auto merger = with_precision(make_method("average"), precision);
    std::vector<double> mean(exact.flat().size());
    double once = 0.0;  // the error of the first round
    for (int round = 1; round <= kRounds; ++round) {
      input.round = round;
      const ParamVector merged = merger->merge(input, world).merged;
      for (std::size_t w = 0; w < mean.size(); ++w) {
        mean[w] += static_cast<double>(merged.flat()[w]) / kRounds;
        if (round == 1) once = std::max(once, std::abs(static_cast<double>(merged.flat()[w] - exact.flat()[w])));
      }
    }
    EXPECT_GT(once, 0.0);
    for (std::size_t w = 0; w < mean.size(); ++w) {
      EXPECT_NEAR(mean[w], exact.flat()[w], 0.1 * once) << w;
    }
  }
}

/// The lost part of robots that are copies of one, each in a basis of its own, ends in the common basis.
TEST(ErrorFeedback, follows_a_robot_into_the_basis_of_the_merge) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  fleet.become_permuted_copies(drawn_weights(4));
  const ParamVector center(fleet.symmetry().layout());
  MergeInput input = fleet.input({0, 1, 2, 3});
  input.center = &center;
  const auto merger = with_precision(make_method("git-rebasin"), Precision::kInt8);
  const MergeOutcome outcome = merger->merge(input, world);
  for (std::size_t row = 0; row < fleet.rows(); ++row) {
    ParamVector rounded = fleet.weights(row);
    round_weights(Precision::kInt8, rounded.layout(), {}, rounded.flat());
    ParamVector lost = fleet.weights(row);
    for (std::size_t w = 0; w < lost.flat().size(); ++w) lost.flat()[w] -= rounded.flat()[w];
    StateWriter state;
    merger->save(fleet.index(row), state);
    StateReader read(state.bytes());
    EXPECT_EQ(read.read_all<float>(), values(fleet.symmetry().apply(outcome.elements[row], lost)));
  }
}

TEST(ErrorFeedback, is_not_made_of_what_is_only_proposed) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(3, world);
  const ParamVector center(fleet.symmetry().layout());
  MergeInput input = fleet.input({0, 1, 2});
  input.center = &center;
  const auto asked = with_precision(make_method("average"), Precision::kInt8);
  (void)asked->propose(input, world);
  const auto merged = with_precision(make_method("average"), Precision::kInt8);
  EXPECT_EQ(values(asked->merge(input, world).merged), values(merged->merge(input, world).merged));
}

}  // namespace
}  // namespace fleet
