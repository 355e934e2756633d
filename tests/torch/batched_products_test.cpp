// Batches of products against products one at a time.
#include "torch/batched_products.hpp"

#include <gtest/gtest.h>

#include <Eigen/Core>
#include <array>
#include <vector>

namespace fleet {
namespace {

constexpr int kRowMajor = 101;
constexpr int kColumnMajor = 102;
constexpr int kAsItIs = 111;
constexpr int kTransposed = 112;

void multiply(int layout, const int* ta, const int* tb, const int* m, const int* n, const int* k, const float* alpha,
              const float** a, const int* lda, const float** b, const int* ldb, const float* beta, float** c,
              const int* ldc, int groups, const int* sizes) {
  cblas_sgemm_batch(layout, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, groups, sizes);
}
void multiply(int layout, const int* ta, const int* tb, const int* m, const int* n, const int* k, const double* alpha,
              const double** a, const int* lda, const double** b, const int* ldb, const double* beta, double** c,
              const int* ldc, int groups, const int* sizes) {
  cblas_dgemm_batch(layout, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, groups, sizes);
}

/// Two groups of products, of other sizes, with room between the lines of each matrix.
template <class Number, int kOrder>
void expect_products(int transpose_a, int transpose_b) {
  using Matrix = Eigen::Matrix<Number, Eigen::Dynamic, Eigen::Dynamic, kOrder>;
  constexpr std::array kRows = {3, 5};
  constexpr std::array kColumns = {4, 1};
  constexpr std::array kDepths = {2, 6};
  constexpr std::array kSizes = {2, 3};
  constexpr std::array<Number, 2> kAlpha = {2, -0.5};
  constexpr std::array<Number, 2> kBeta = {0.25, 1};
  constexpr int kRoom = 2;
  const auto random = [](int rows, int columns, bool transposed) {
    if (transposed) std::swap(rows, columns);
    return Matrix(kOrder == Eigen::RowMajor ? Matrix::Random(rows, columns + kRoom)
                                            : Matrix::Random(rows + kRoom, columns));
  };
  std::vector<Matrix> a, b, c, expected;   // NOLINT(readability-isolate-declaration)
  std::array<int, 2> lda{}, ldb{}, ldc{};  // NOLINT(readability-isolate-declaration)
  for (std::size_t g = 0; g < 2; ++g) {
    const int rows = kRows.at(g), columns = kColumns.at(g), depth = kDepths.at(g);  // NOLINT
    for (int i = 0; i < kSizes.at(g); ++i) {
      const bool a_lies = transpose_a == kTransposed;
      const bool b_lies = transpose_b == kTransposed;
      a.push_back(random(rows, depth, a_lies));
      b.push_back(random(depth, columns, b_lies));
      c.push_back(random(rows, columns, false));
      const Matrix left = a_lies ? Matrix(a.back().topLeftCorner(depth, rows).transpose())
                                 : Matrix(a.back().topLeftCorner(rows, depth));
      const Matrix right = b_lies ? Matrix(b.back().topLeftCorner(columns, depth).transpose())
                                  : Matrix(b.back().topLeftCorner(depth, columns));
      expected.push_back(c.back());  // what lies beside the product stays
      auto sum = expected.back().topLeftCorner(rows, columns);
      sum = (kAlpha.at(g) * (left * right) + kBeta.at(g) * sum).eval();
      lda.at(g) = static_cast<int>(a.back().outerStride());
      ldb.at(g) = static_cast<int>(b.back().outerStride());
      ldc.at(g) = static_cast<int>(c.back().outerStride());
    }
  }
  std::vector<const Number*> from_a, from_b;  // NOLINT(readability-isolate-declaration)
  std::vector<Number*> to;
  for (std::size_t i = 0; i < a.size(); ++i) {
    from_a.push_back(a[i].data());
    from_b.push_back(b[i].data());
    to.push_back(c[i].data());
  }
  const std::array turned_a = {transpose_a, transpose_a};
  const std::array turned_b = {transpose_b, transpose_b};
  multiply(kOrder == Eigen::RowMajor ? kRowMajor : kColumnMajor, turned_a.data(), turned_b.data(), kRows.data(),
           kColumns.data(), kDepths.data(), kAlpha.data(), from_a.data(), lda.data(), from_b.data(), ldb.data(),
           kBeta.data(), to.data(), ldc.data(), 2, kSizes.data());
  for (std::size_t i = 0; i < c.size(); ++i) {
    EXPECT_TRUE(c[i].isApprox(expected[i], Number(1e-5))) << "product " << i << ":\n" << c[i] << "\n\n" << expected[i];
  }
}

TEST(batched_products, are_those_of_single_products) {
  for (const int transpose_a : {kAsItIs, kTransposed}) {
    for (const int transpose_b : {kAsItIs, kTransposed}) {
      SCOPED_TRACE(testing::Message() << transpose_a << ' ' << transpose_b);
      expect_products<float, Eigen::ColMajor>(transpose_a, transpose_b);
      expect_products<float, Eigen::RowMajor>(transpose_a, transpose_b);
      expect_products<double, Eigen::ColMajor>(transpose_a, transpose_b);
      expect_products<double, Eigen::RowMajor>(transpose_a, transpose_b);
    }
  }
}

}  // namespace
}  // namespace fleet
