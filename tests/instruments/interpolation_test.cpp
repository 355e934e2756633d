// Curves and barriers have the properties that their definition gives them, for any models on any number of ranks.
#include "instruments/interpolation.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <tuple>

#include "base/error.hpp"
#include "measurements.hpp"
#include "toy_fleet.hpp"
#include "train/evaluation.hpp"

namespace fleet {
namespace {

constexpr std::array kAll = {PairAlignment::kNone, PairAlignment::kGitRebasin, PairAlignment::kMethod};

ParamVector random_weights(std::uint64_t draw, const std::shared_ptr<const ParamLayout>& layout) {
  RandomStream stream(draw, Purpose::kTest);
  ParamVector weights(layout);
  for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
  return weights;
}

class InterpolationTest : public testing::Test {
 protected:
  std::vector<GroupElement> identities() const {
    return std::vector<GroupElement>(fleet_.rows(), fleet_.symmetry().identity());
  }
  std::vector<Measurement> measure(toy::ToyFleet& fleet, const Comm& comm, std::span<const GroupElement> elements) {
    const MergeInput robots = fleet.input(participants_);
    const Judge judge(workload_, robots, comm);
    return pairwise_barriers(robots, kAll, elements, 5, judge, comm);
  }

  Comm world_ = MpiSession::world();
  Comm alone_ = world_.split(world_.rank());
  std::vector<int> participants_ = {0, 1, 3, 4};
  toy::ToyFleet fleet_{5, world_};
  toy::ToyWorkload workload_{{3, 3, 3}};
};

TEST_F(InterpolationTest, the_ends_of_a_curve_are_the_scores_of_the_models) {
  const MergeInput robots = fleet_.input(participants_);
  const Judge judge(workload_, robots, world_);
  for (std::uint64_t draw = 0; draw < 5; ++draw) {
    const ParamVector a = random_weights(2 * draw, fleet_.symmetry().layout());
    const ParamVector b = random_weights(2 * draw + 1, fleet_.symmetry().layout());
    const Curve curve = interpolate(a, b, 6, judge);
    const std::vector<JudgedValue> at_a = judge(a);
    const std::vector<JudgedValue> at_b = judge(b);
    ASSERT_EQ(curve.values.size(), at_a.size());
    ASSERT_EQ(curve.metrics.size(), at_a.size());
    for (std::size_t m = 0; m < curve.values.size(); ++m) {
      ASSERT_EQ(curve.values[m].size(), 6U);
      EXPECT_EQ(curve.metrics[m].name, at_a[m].metric.name);
      EXPECT_EQ(curve.values[m].front(), at_a[m].value);
      EXPECT_EQ(curve.values[m].back(), at_b[m].value);
    }
    EXPECT_EQ(curve.lambda(0), 0.0);
    EXPECT_EQ(curve.lambda(5), 1.0);
    EXPECT_EQ(at_a[0].value, test_together(workload_, a, alone_)[0].value) << "all ranks together are one alone";
  }
}

TEST_F(InterpolationTest, a_curve_is_the_same_from_either_end) {
  const MergeInput robots = fleet_.input(participants_);
  const Judge judge(workload_, robots, world_);
  const ParamVector a = random_weights(1, fleet_.symmetry().layout());
  const ParamVector b = random_weights(2, fleet_.symmetry().layout());
  const Curve there = interpolate(a, b, 8, judge);
  const Curve back = interpolate(b, a, 8, judge);
  for (std::size_t m = 0; m < there.values.size(); ++m) {
    for (std::size_t p = 0; p < 8; ++p) EXPECT_NEAR(there.values[m][p], back.values[m][7 - p], 1e-5);
    const bool rising = there.metrics[m].higher_is_better();
    EXPECT_NEAR(barrier(there.values[m], rising), barrier(back.values[m], rising), 1e-5);
  }
}

TEST_F(InterpolationTest, barriers_are_never_negative_and_zero_from_a_model_to_itself) {
  const MergeInput robots = fleet_.input(participants_);
  const Judge judge(workload_, robots, world_);
  const ParamVector a = random_weights(1, fleet_.symmetry().layout());
  const Curve curve = interpolate(a, a, 4, judge);
  for (std::size_t m = 0; m < curve.values.size(); ++m) {
    EXPECT_NEAR(barrier(curve.values[m], curve.metrics[m].higher_is_better()), 0.0, 1e-5);
  }
  std::size_t barriers = 0;
  for (const Measurement& row : measure(fleet_, world_, identities())) {
    if (!row.instrument.starts_with("barrier")) continue;
    EXPECT_GE(row.value, 0.0) << row.subject << ' ' << row.metric;
    ++barriers;
  }
  EXPECT_EQ(barriers, 2U * 3U * 6U * curve.metrics.size()) << "two kinds, three alignments, six pairs of robots";
}

TEST(JudgedMetric, of_groups_rises_as_that_of_all_does) {
  for (const char* name :
       {"accuracy", "accuracy_role_mean", "accuracy_role_p10", "success", "score", "return", "return_hopper"}) {
    EXPECT_TRUE((JudgedMetric{"test", name}.higher_is_better())) << name;
  }
  for (const char* name : {"loss", "cost", "bits_per_character", "scoreless", "loss_accuracy"}) {
    EXPECT_FALSE((JudgedMetric{"test", name}.higher_is_better())) << name;
  }
}

TEST(Barrier, above_the_line_never_exceeds_that_above_the_mean_by_more_than_half_the_ends_differ) {
  for (std::uint64_t draw = 0; draw < 50; ++draw) {
    RandomStream stream(draw, Purpose::kTest);
    std::vector<double> curve(6);
    for (double& value : curve) value = stream.normal();
    const double half = 0.5 * std::abs(curve.front() - curve.back());
    for (const bool rising : {false, true}) {
      EXPECT_NEAR(barrier(curve, rising), barrier_above_line(curve, rising), half + 1e-12);
    }
  }
}

TEST(Barrier, is_the_worst_of_the_curve_against_the_mean_of_its_ends) {
  const std::vector<double> loss = {1.0, 5.0, 2.0, 3.0};
  EXPECT_DOUBLE_EQ(barrier(loss, false), 3.0);
  EXPECT_DOUBLE_EQ(barrier(loss, true), 1.0);
  const std::vector<double> straight = {1.0, 2.0, 3.0};
  EXPECT_DOUBLE_EQ(barrier(straight, false), 1.0) << "uneven ends count, as in the paper";
  EXPECT_DOUBLE_EQ(barrier_above_line(straight, false), 0.0) << "but not against the line between them";
  EXPECT_DOUBLE_EQ(barrier_above_line(straight, true), 0.0);
  EXPECT_DOUBLE_EQ(barrier_above_line({loss}, false), 5.0 - 5.0 / 3.0);
}

TEST_F(InterpolationTest, weight_matching_removes_the_barrier_between_permuted_copies) {
  fleet_.become_permuted_copies(random_weights(3, fleet_.symmetry().layout()));
  double unaligned = 0.0;
  for (const Measurement& row : measure(fleet_, world_, identities())) {
    if (row.instrument != "barrier") continue;
    if (row.subject == "git-rebasin") {
      EXPECT_NEAR(row.value, 0.0, 1e-5) << row.robot << ' ' << row.other;
    }
    if (row.subject == "none") unaligned = std::max(unaligned, row.value);
  }
  EXPECT_GT(unaligned, 0.1) << "else there was nothing to remove";
}

TEST_F(InterpolationTest, the_elements_of_a_method_are_used) {
  const ParamVector original = random_weights(3, fleet_.symmetry().layout());
  fleet_.become_permuted_copies(original);
  std::vector<GroupElement> elements;
  for (std::size_t row = 0; row < fleet_.rows(); ++row) {
    RandomStream stream(8, Purpose::kTest, static_cast<std::uint64_t>(fleet_.index(row)));
    elements.push_back(fleet_.symmetry().inverse(fleet_.symmetry().random(stream)));
  }
  for (const Measurement& row : measure(fleet_, world_, elements)) {
    if (row.instrument == "barrier" && row.subject == "method") {
      EXPECT_NEAR(row.value, 0.0, 1e-6);
    }
  }
}

TEST_F(InterpolationTest, measurements_are_the_same_bits_on_any_number_of_ranks) {
  toy::ToyFleet whole(5, alone_);
  const std::vector<GroupElement> elements(5, whole.symmetry().identity());
  const std::vector<Measurement> here = measure(fleet_, world_, identities());
  EXPECT_EQ(described(here), described(measure(whole, alone_, elements)));
  EXPECT_FALSE(here.empty());
}

TEST_F(InterpolationTest, a_curve_of_one_point_is_refused) {
  const ParamVector a(fleet_.symmetry().layout());
  EXPECT_THROW((void)interpolate(a, a, 1, [](const ParamVector&) { return std::vector<JudgedValue>{}; }), Error);
}

}  // namespace
}  // namespace fleet
