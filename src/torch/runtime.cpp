#include "torch/runtime.hpp"

#include "base/blas.hpp"
#include "torch/torch_pch.hpp"

namespace fleet {

void set_threads(int threads) {
  torch::set_num_threads(threads);  // OpenMP's and MKL's too
  set_openblas_threads(threads);
}

std::string torch_version() {
  return TORCH_VERSION;
}

std::string blas_version() {
  const std::string openblas = openblas_version();
  if (!openblas.empty()) return openblas;
  return at::hasMKL() ? "MKL" : "unknown";
}

}  // namespace fleet
