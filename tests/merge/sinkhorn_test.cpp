#include "merge/sinkhorn.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/random.hpp"
#include "model/symmetry.hpp"

namespace fleet {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;

RowMatrix gaussian(Index size, double deviation, std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kTest);
  return RowMatrix::NullaryExpr(size, size,
                                [&](Index, Index) { return static_cast<float>(deviation * stream.normal()); });
}

/// Entries in quarters, so that adding and subtracting small integers is exact.
RowMatrix quarters(Index size, std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kTest);
  return RowMatrix::NullaryExpr(size, size, [&](Index, Index) { return static_cast<float>(stream.below(32)) / 4.0F; });
}

Permutation shuffled(int size, std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kTest);
  Permutation permutation(static_cast<std::size_t>(size));
  std::iota(permutation.begin(), permutation.end(), 0);
  stream.shuffle(std::span(permutation));
  return permutation;
}

RowMatrix matrix_of(const Permutation& permutation) {
  const auto size = static_cast<Index>(permutation.size());
  RowMatrix matrix = RowMatrix::Zero(size, size);
  for (Index i = 0; i < size; ++i) matrix(i, permutation[static_cast<std::size_t>(i)]) = 1.0F;
  return matrix;
}

/// The definition, in logarithms and double precision.
MatrixXd reference(const MatrixXd& scores, double temperature, int iterations) {
  const auto normalize = [](auto&& line) {
    const double largest = line.maxCoeff();
    line.array() -= largest + std::log((line.array() - largest).exp().sum());
  };
  MatrixXd log_p = scores / temperature;
  for (int t = 0; t < iterations; ++t) {
    for (Index i = 0; i < log_p.rows(); ++i) normalize(log_p.row(i));
    for (Index j = 0; j < log_p.cols(); ++j) normalize(log_p.col(j));
  }
  return log_p.array().exp();
}

/// d/dX of sum_ij g_ij P_ij by central differences of the definition.
MatrixXd differences(const MatrixXd& scores, const MatrixXd& g, double temperature, int iterations) {
  const double step = 1e-4 * temperature;
  MatrixXd gradient(scores.rows(), scores.cols());
  for (Index k = 0; k < scores.size(); ++k) {
    MatrixXd ahead = scores;
    MatrixXd behind = scores;
    ahead(k) += step;
    behind(k) -= step;
    const MatrixXd change = reference(ahead, temperature, iterations) - reference(behind, temperature, iterations);
    gradient(k) = change.cwiseProduct(g).sum() / (2.0 * step);
  }
  return gradient;
}

double largest_difference(const RowMatrix& a, const MatrixXd& b) {
  return (a.cast<double>() - b).cwiseAbs().maxCoeff();
}

struct Case {
  int size;
  double temperature;
  int iterations;
  double deviation;  // of the scores, in temperatures: from 20 on, rows spread too far for single
                     // precision
};

void PrintTo(const Case& c, std::ostream* out) {
  *out << "size " << c.size << ", temperature " << c.temperature << ", iterations " << c.iterations << ", deviation "
       << c.deviation;
}

class SinkhornCases : public testing::TestWithParam<Case> {};

TEST_P(SinkhornCases, forward_is_the_definition) {
  const auto [size, temperature, iterations, deviation] = GetParam();
  const RowMatrix scores = gaussian(size, deviation * temperature, 1);
  Sinkhorn sinkhorn(temperature, iterations);
  const RowMatrix& p = sinkhorn.forward(scores);
  EXPECT_LT(largest_difference(p, reference(scores.cast<double>(), temperature, iterations)), 2e-6);
}

TEST_P(SinkhornCases, backward_is_the_derivative_of_forward) {
  const auto [size, temperature, iterations, deviation] = GetParam();
  const RowMatrix scores = gaussian(size, deviation * temperature, 2);
  const RowMatrix g = gaussian(size, 1.0, 3);
  Sinkhorn sinkhorn(temperature, iterations);
  sinkhorn.forward(scores);
  const RowMatrix& gradient = sinkhorn.backward(g);
  const MatrixXd expected = differences(scores.cast<double>(), g.cast<double>(), temperature, iterations);
  EXPECT_LT(largest_difference(gradient, expected), 2e-6 / temperature);
}

TEST_P(SinkhornCases, repeats_itself_bit_for_bit) {
  const auto [size, temperature, iterations, deviation] = GetParam();
  const RowMatrix scores = gaussian(size, deviation * temperature, 4);
  const RowMatrix g = gaussian(size, 1.0, 5);
  Sinkhorn sinkhorn(temperature, iterations);
  const RowMatrix p = sinkhorn.forward(scores);
  const RowMatrix gradient = sinkhorn.backward(g);
  EXPECT_EQ(sinkhorn.backward(g), gradient);
  EXPECT_EQ(sinkhorn.forward(scores), p);
  EXPECT_EQ(sinkhorn.backward(g), gradient);
}

INSTANTIATE_TEST_SUITE_P(Single, SinkhornCases,
                         testing::Values(Case{1, 1.0, 1, 1.0}, Case{2, 1.0, 1, 1.0}, Case{7, 1.0, 1, 2.0},
                                         Case{7, 0.1, 5, 2.0}, Case{16, 1.0, 5, 1.0}, Case{19, 2.5, 5, 3.0},
                                         Case{19, 0.3, 30, 4.0}));
INSTANTIATE_TEST_SUITE_P(Double, SinkhornCases,
                         testing::Values(Case{7, 1.0, 1, 25.0}, Case{7, 0.1, 5, 25.0}, Case{19, 2.0, 5, 60.0},
                                         Case{16, 1.0, 20, 30.0}));

TEST(Sinkhorn, rows_and_columns_sum_to_one_after_many_iterations) {
  for (const double deviation : {1.0, 4.0}) {
    Sinkhorn sinkhorn(1.0, 2000);
    const RowMatrix& p = sinkhorn.forward(gaussian(33, deviation, 6));
    EXPECT_LT((p.rowwise().sum().array() - 1.0F).abs().maxCoeff(), 1e-5F);
    EXPECT_LT((p.colwise().sum().array() - 1.0F).abs().maxCoeff(), 1e-5F);
    EXPECT_GE(p.minCoeff(), 0.0F);
  }
}

TEST(Sinkhorn, columns_sum_to_one_after_every_iteration) {
  for (const double deviation : {1.0, 30.0}) {
    Sinkhorn sinkhorn(1.0, 1);
    const RowMatrix& p = sinkhorn.forward(gaussian(33, deviation, 7));
    EXPECT_LT((p.colwise().sum().array() - 1.0F).abs().maxCoeff(), 1e-5F);
  }
}

TEST(Sinkhorn, tends_to_the_permutation_as_the_temperature_falls) {
  const RowMatrix permutation = matrix_of(shuffled(24, 8));
  double before = std::numeric_limits<double>::infinity();
  for (const double temperature : {0.5, 0.2, 0.1, 0.03, 0.01}) {
    Sinkhorn sinkhorn(temperature, 5);
    const double distance = (sinkhorn.forward(permutation) - permutation).norm();
    EXPECT_LT(distance, before);
    before = distance;
  }
  EXPECT_LT(before, 1e-6);
}

TEST(Sinkhorn, permuted_scores_give_the_permuted_matrix_and_gradient) {
  const RowMatrix rows = matrix_of(shuffled(21, 9));
  const RowMatrix columns = matrix_of(shuffled(21, 10));
  const RowMatrix scores = gaussian(21, 2.0, 11);
  const RowMatrix g = gaussian(21, 1.0, 12);
  Sinkhorn original(1.0, 5);
  Sinkhorn permuted(1.0, 5);
  const RowMatrix expected = rows * original.forward(scores) * columns;
  EXPECT_LT((permuted.forward(rows * scores * columns) - expected).cwiseAbs().maxCoeff(), 1e-6F);
  const RowMatrix expected_gradient = rows * original.backward(g) * columns;
  EXPECT_LT((permuted.backward(rows * g * columns) - expected_gradient).cwiseAbs().maxCoeff(), 1e-6F);
}

TEST(Sinkhorn, ignores_constants_added_to_all_scores_or_to_a_row) {
  const RowMatrix scores = quarters(18, 13);
  Sinkhorn sinkhorn(0.5, 3);
  const RowMatrix expected = sinkhorn.forward(scores);
  RowMatrix shifted = scores.array() + 37.0F;
  EXPECT_EQ(sinkhorn.forward(shifted), expected);
  shifted.row(4).array() -= 1000.0F;
  EXPECT_EQ(sinkhorn.forward(shifted), expected);
  const RowMatrix& gradient = sinkhorn.backward(gaussian(18, 1.0, 14));
  EXPECT_LT(gradient.rowwise().sum().cwiseAbs().maxCoeff(), 1e-5F);
}

TEST(Sinkhorn, both_precisions_agree_where_they_meet) {
  // Rows from 0 to 40 are the last to run in single precision.
  RowMatrix scores = 40.0F * matrix_of(shuffled(12, 15));
  scores.col(0).array() += 20.0F;
  scores = scores.cwiseMin(40.0F);
  const RowMatrix g = gaussian(12, 1.0, 16);
  Sinkhorn sinkhorn(1.0, 5);
  const RowMatrix p = sinkhorn.forward(scores);
  const RowMatrix gradient = sinkhorn.backward(g);
  scores *= 1.000001F;
  EXPECT_LT((sinkhorn.forward(scores) - p).cwiseAbs().maxCoeff(), 1e-5F);
  EXPECT_LT((sinkhorn.backward(g) - gradient).cwiseAbs().maxCoeff(), 1e-5F);
}

TEST(Sinkhorn, keeps_nothing_from_earlier_sizes_and_precisions) {
  Sinkhorn used(1.0, 4);
  for (const auto& [size, deviation] : {std::pair{9, 1.0}, {30, 50.0}, {30, 1.0}, {5, 40.0}, {9, 2.0}}) {
    const RowMatrix scores = gaussian(size, deviation, 17);
    const RowMatrix g = gaussian(size, 1.0, 18);
    Sinkhorn fresh(1.0, 4);
    EXPECT_EQ(used.forward(scores), fresh.forward(scores));
    EXPECT_EQ(used.backward(g), fresh.backward(g));
  }
}

TEST(Sinkhorn, stays_finite_up_to_the_largest_spread) {
  RowMatrix scores = gaussian(40, 1.0, 19);
  scores *= 599.0F / (scores.rowwise().maxCoeff() - scores.rowwise().minCoeff()).maxCoeff();
  Sinkhorn sinkhorn(1.0, 5);
  const RowMatrix& p = sinkhorn.forward(scores);
  EXPECT_LT(largest_difference(p, reference(scores.cast<double>(), 1.0, 5)), 1e-6);
  EXPECT_TRUE(sinkhorn.backward(gaussian(40, 1.0, 20)).allFinite());
}

TEST(Sinkhorn, rejects_scores_that_spread_too_far) {
  const RowMatrix scores = 7.0F * RowMatrix::Identity(3, 3);
  try {
    Sinkhorn(0.01, 5).forward(scores);
    FAIL() << "a spread of 700 temperatures was accepted";
  } catch (const Error& error) {
    const std::string message = error.what();
    EXPECT_NE(message.find("700"), std::string::npos) << message;
    EXPECT_NE(message.find("raise the temperature"), std::string::npos) << message;
  }
}

TEST(Sinkhorn, rejects_scores_that_are_not_finite_or_not_square) {
  Sinkhorn sinkhorn(1.0, 5);
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    RowMatrix scores = gaussian(20, 1.0, 21);
    scores(3, 17) = bad;
    EXPECT_THROW(sinkhorn.forward(scores), Error);
  }
  EXPECT_THROW(sinkhorn.forward(RowMatrix::Zero(2, 3)), Error);
  EXPECT_THROW(sinkhorn.forward(RowMatrix(0, 0)), Error);
}

TEST(Sinkhorn, rejects_temperatures_and_iterations_below_their_bounds) {
  EXPECT_THROW(Sinkhorn(0.0, 5), Error);
  EXPECT_THROW(Sinkhorn(-1.0, 5), Error);
  EXPECT_THROW(Sinkhorn(std::numeric_limits<double>::quiet_NaN(), 5), Error);
  EXPECT_THROW(Sinkhorn(1.0, 0), Error);
}

}  // namespace
}  // namespace fleet
