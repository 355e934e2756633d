// The measures of an alignment are what their names say.
#include "merge/alignment_trace.hpp"

#include <gtest/gtest.h>

#include "merge/sinkhorn.hpp"
#include "toy_fleet.hpp"

namespace fleet {
namespace {

TEST(UnitsMoved, is_a_share_and_symmetric_and_zero_only_where_nothing_moved) {
  const SymmetrySpec symmetry = toy::symmetry();
  RandomStream stream(1, Purpose::kTest);
  for (int draw = 0; draw < 20; ++draw) {
    const GroupElement a = symmetry.random(stream);
    const GroupElement b = symmetry.random(stream);
    EXPECT_EQ(units_moved(a, a), 0.0);
    EXPECT_EQ(units_moved(a, b), units_moved(b, a));
    EXPECT_EQ(units_moved(a, b) == 0.0, a == b);
    EXPECT_LE(units_moved(a, b), 1.0);
  }
  EXPECT_DOUBLE_EQ(units_moved({{0, 1, 2}, {0}}, {{1, 0, 2}, {0}}), 0.5) << "two of four units, over all groups";
}

TEST(RelativeDistance, does_not_change_when_both_sides_are_permuted_alike_and_doubles_with_the_gap) {
  const SymmetrySpec symmetry = toy::symmetry();
  RandomStream stream(2, Purpose::kTest);
  ParamVector weights(symmetry.layout());
  ParamVector reference(symmetry.layout());
  for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
  for (float& w : reference.flat()) w = static_cast<float>(stream.normal());
  const GroupElement identity = symmetry.identity();
  const GroupElement element = symmetry.random(stream);
  const double distance = relative_distance(symmetry, identity, weights, reference);
  EXPECT_NEAR(relative_distance(symmetry, element, weights, symmetry.apply(element, reference)), distance, 1e-12);
  EXPECT_EQ(relative_distance(symmetry, element, weights, symmetry.apply(element, weights)), 0.0);
  ParamVector further = reference;
  for (std::size_t w = 0; w < further.flat().size(); ++w) {
    further.flat()[w] += 2.0F * (weights.flat()[w] - reference.flat()[w]);
  }
  EXPECT_NEAR(relative_distance(symmetry, identity, further, reference), 2.0 * distance, 1e-5);
}

TEST(DoublyStochasticError, is_zero_of_permutations_and_falls_with_the_iterations_of_sinkhorn) {
  RandomStream stream(3, Purpose::kTest);
  EXPECT_EQ(doubly_stochastic_error(to_matrices(toy::symmetry().random(stream))), 0.0);
  EXPECT_DOUBLE_EQ(doubly_stochastic_error({RowMatrix::Identity(3, 3), 2.0F * RowMatrix::Identity(2, 2)}), 1.0);
  RowMatrix scores(9, 9);
  for (Eigen::Index i = 0; i < scores.size(); ++i) scores.data()[i] = static_cast<float>(3.0 * stream.normal());
  double before = 1e9;
  for (const int iterations : {1, 3, 10, 100}) {
    Sinkhorn sinkhorn(1.0, iterations);
    const double error = doubly_stochastic_error({sinkhorn.forward(scores)});
    EXPECT_LT(error, before);
    before = error;
  }
  EXPECT_LT(before, 1e-3);
}

}  // namespace
}  // namespace fleet
