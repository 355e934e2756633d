#include "torch/batched_products.hpp"

#include <Eigen/Core>

namespace fleet {
namespace {

constexpr int kRowMajor = 101;
constexpr int kNotTransposed = 111;

const char* letter(int transpose) {
  return transpose == kNotTransposed ? "N" : "T";
}

/// `gemm` is BLAS's, which takes matrices column by column.
template <class Number, class Gemm>
void multiply_batch(Gemm gemm, int layout, const int* transpose_a, const int* transpose_b, const int* m, const int* n,
                    const int* k, const Number* alpha, const Number** a, const int* lda, const Number** b,
                    const int* ldb, const Number* beta, Number** c, const int* ldc, int groups, const int* sizes) {
  for (int g = 0; g < groups; ++g) {
    const char* ta = letter(transpose_a[g]);
    const char* tb = letter(transpose_b[g]);
    for (int i = 0; i < sizes[g]; ++i, ++a, ++b, ++c) {
      if (layout == kRowMajor) {  // c = a b, row by row, is c' = b' a'
        gemm(tb, ta, n + g, m + g, k + g, alpha + g, *b, ldb + g, *a, lda + g, beta + g, *c, ldc + g);
      } else {
        gemm(ta, tb, m + g, n + g, k + g, alpha + g, *a, lda + g, *b, ldb + g, beta + g, *c, ldc + g);
      }
    }
  }
}

}  // namespace
}  // namespace fleet

void cblas_sgemm_batch(int layout, const int* transpose_a, const int* transpose_b, const int* m, const int* n,
                       const int* k, const float* alpha, const float** a, const int* lda, const float** b,
                       const int* ldb, const float* beta, float** c, const int* ldc, int groups, const int* sizes) {
  fleet::multiply_batch(sgemm_, layout, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, groups,
                        sizes);
}

void cblas_dgemm_batch(int layout, const int* transpose_a, const int* transpose_b, const int* m, const int* n,
                       const int* k, const double* alpha, const double** a, const int* lda, const double** b,
                       const int* ldb, const double* beta, double** c, const int* ldc, int groups, const int* sizes) {
  fleet::multiply_batch(dgemm_, layout, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc, groups,
                        sizes);
}
