// Many products of small matrices in one call, under the names by which LibTorch asks for them.
//
// A wheel's LibTorch calls cblas_sgemm_batch of the BLAS that the program is linked to first. OpenBLAS's, from 0.3.28
// to 0.3.33, crashes on small matrices where it picks its kernels as it is loaded (its pull request 5980). These take
// its place.
#pragma once

extern "C" {

/// Of each group g of `groups`, `sizes[g]` products c = alpha a b + beta c: c is m x n and a factor is transposed where
/// its letter says so (CBLAS's numbers for layouts and transposes). Arrays hold a value a group, those of matrices one
/// a product.
void cblas_sgemm_batch(int layout, const int* transpose_a, const int* transpose_b, const int* m, const int* n,
                       const int* k, const float* alpha, const float** a, const int* lda, const float** b,
                       const int* ldb, const float* beta, float** c, const int* ldc, int groups, const int* sizes);
void cblas_dgemm_batch(int layout, const int* transpose_a, const int* transpose_b, const int* m, const int* n,
                       const int* k, const double* alpha, const double** a, const int* lda, const double** b,
                       const int* ldb, const double* beta, double** c, const int* ldc, int groups, const int* sizes);
}
