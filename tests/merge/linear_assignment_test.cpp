#include "merge/linear_assignment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>
#include <span>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"

namespace fleet {
namespace {

using Eigen::Index;

Permutation identity(int size) {
  Permutation permutation(static_cast<std::size_t>(size));
  std::iota(permutation.begin(), permutation.end(), 0);
  return permutation;
}

Permutation shuffled(int size, RandomStream& stream) {
  Permutation permutation = identity(size);
  stream.shuffle(std::span(permutation));
  return permutation;
}

RowMatrix filled(int size, const std::function<double()>& draw) {
  return RowMatrix::NullaryExpr(size, size, [&](Index, Index) { return static_cast<float>(draw()); });
}

double value(const RowMatrix& score, const Permutation& permutation) {
  double sum = 0.0;
  for (std::size_t i = 0; i < permutation.size(); ++i) {
    sum += static_cast<double>(score(static_cast<Index>(i), permutation[i]));
  }
  return sum;
}

bool is_permutation(const Permutation& permutation) {
  Permutation sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  return sorted == identity(static_cast<int>(permutation.size()));
}

double best_of_all_permutations(const RowMatrix& score) {
  Permutation permutation = identity(static_cast<int>(score.rows()));
  double best = value(score, permutation);
  while (std::next_permutation(permutation.begin(), permutation.end())) {
    best = std::max(best, value(score, permutation));
  }
  return best;
}

/// Integer scores r_i + c_j - slack_ij, slack_ij >= 0 and zero on `planted`: by weak duality
/// nothing exceeds the value of `planted`, and every sum is exact.
RowMatrix planted_scores(const Permutation& planted, std::uint64_t largest_slack, RandomStream& stream) {
  const auto size = static_cast<int>(planted.size());
  RowMatrix score = filled(size, [&] { return -static_cast<double>(stream.below(largest_slack + 1)); });
  for (int i = 0; i < size; ++i) score(i, planted[static_cast<std::size_t>(i)]) = 0.0F;
  for (int i = 0; i < size; ++i) {
    score.row(i).array() += static_cast<float>(stream.below(2000)) - 1000.0F;
    score.col(i).array() += static_cast<float>(stream.below(2000)) - 1000.0F;
  }
  return score;
}

TEST(LinearAssignment, is_as_good_as_the_best_of_all_permutations) {
  RandomStream stream(1, Purpose::kTest);
  const std::vector<std::function<double()>> kinds = {
      [&] { return stream.normal(); },                                 // no ties
      [&] { return static_cast<double>(stream.below(3)) - 1.0; },      // many ties
      [&] { return stream.uniform() < 0.7 ? 0.0 : stream.normal(); },  // sparse
      [&] { return -100.0 * stream.uniform(); },                       // all negative
      [&] { return 1e6 * stream.normal() * stream.normal(); }};        // large
  for (int size = 1; size <= 7; ++size) {
    for (const auto& draw : kinds) {
      for (int trial = 0; trial < (size < 7 ? 60 : 15); ++trial) {
        const RowMatrix score = filled(size, draw);
        const Permutation answer = maximum_assignment(score);
        ASSERT_TRUE(is_permutation(answer));
        const double best = best_of_all_permutations(score);
        ASSERT_NEAR(value(score, answer), best, 1e-12 * score.cwiseAbs().sum()) << score;
      }
    }
  }
}

TEST(LinearAssignment, recovers_a_hidden_permutation) {
  RandomStream stream(2, Purpose::kTest);
  const Permutation hidden = shuffled(100, stream);
  RowMatrix score = filled(100, [&] { return stream.uniform(); });
  for (int i = 0; i < 100; ++i) score(i, hidden[static_cast<std::size_t>(i)]) += 1.0F;
  EXPECT_EQ(maximum_assignment(score), hidden);
}

TEST(LinearAssignment, finds_the_planted_optimum_of_large_problems) {
  RandomStream stream(3, Purpose::kTest);
  for (const int size : {64, 200, 512}) {
    for (const std::uint64_t largest_slack : {1U, 10U, 100000U}) {
      const Permutation planted = shuffled(size, stream);
      const RowMatrix score = planted_scores(planted, largest_slack, stream);
      const Permutation answer = maximum_assignment(score);
      ASSERT_TRUE(is_permutation(answer));
      EXPECT_EQ(value(score, answer), value(score, planted)) << size << ", slack up to " << largest_slack;
    }
  }
}

TEST(LinearAssignment, constants_added_to_rows_and_columns_shift_only_the_value) {
  RandomStream stream(4, Purpose::kTest);
  RowMatrix score = filled(30, [&] { return static_cast<double>(stream.below(1000)); });
  const double before = value(score, maximum_assignment(score));
  score.row(7).array() += 12345.0F;
  score.col(19).array() -= 6789.0F;
  EXPECT_EQ(value(score, maximum_assignment(score)), before + 12345.0 - 6789.0);
}

TEST(LinearAssignment, permuted_rows_permute_the_answer) {
  RandomStream stream(5, Purpose::kTest);
  const RowMatrix score = filled(40, [&] { return stream.normal(); });
  const Permutation order = shuffled(40, stream);
  RowMatrix permuted(40, 40);
  for (std::size_t i = 0; i < order.size(); ++i) permuted.row(static_cast<Index>(i)) = score.row(order[i]);
  const Permutation answer = maximum_assignment(score);
  const Permutation permuted_answer = maximum_assignment(permuted);
  for (std::size_t i = 0; i < order.size(); ++i) {
    EXPECT_EQ(permuted_answer[i], answer[static_cast<std::size_t>(order[i])]);
  }
}

TEST(LinearAssignment, transposed_scores_give_the_inverse) {
  RandomStream stream(6, Purpose::kTest);
  const RowMatrix score = filled(40, [&] { return stream.normal(); });
  const Permutation answer = maximum_assignment(score);
  const Permutation transposed = maximum_assignment(score.transpose());
  for (std::size_t i = 0; i < answer.size(); ++i) {
    EXPECT_EQ(transposed[static_cast<std::size_t>(answer[i])], static_cast<int>(i));
  }
}

TEST(LinearAssignment, equal_scores_give_the_identity) {
  EXPECT_EQ(maximum_assignment(RowMatrix::Zero(9, 9)), identity(9));
  EXPECT_EQ(maximum_assignment(RowMatrix::Constant(9, 9, -2.5F)), identity(9));
}

TEST(LinearAssignment, ties_break_the_same_way_every_time) {
  RandomStream stream(7, Purpose::kTest);
  const RowMatrix score = filled(60, [&] { return static_cast<double>(stream.below(3)); });
  EXPECT_EQ(maximum_assignment(score), maximum_assignment(score));
}

TEST(LinearAssignment, handles_one_unit_and_none) {
  EXPECT_EQ(maximum_assignment(RowMatrix::Constant(1, 1, -3.0F)), Permutation{0});
  EXPECT_TRUE(maximum_assignment(RowMatrix(0, 0)).empty());
}

TEST(LinearAssignment, rejects_scores_that_are_not_finite_or_not_square) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    RowMatrix score = RowMatrix::Zero(20, 20);
    score(11, 6) = bad;
    EXPECT_THROW((void)maximum_assignment(score), Error);
  }
  EXPECT_THROW((void)maximum_assignment(RowMatrix::Zero(2, 3)), Error);
  EXPECT_THROW((void)maximum_assignment(RowMatrix(0, 3)), Error);
}

}  // namespace
}  // namespace fleet
