// The numerical libraries of this process: their threads and versions.
#pragma once

#include <string>

namespace fleet {

/// Threads that LibTorch, OpenMP and OpenBLAS may use in this process; each has its own switch.
void set_threads(int threads);

/// "1.13.1", and openblas_version() or another BLAS, for provenance.
[[nodiscard]] std::string torch_version();
[[nodiscard]] std::string blas_version();

}  // namespace fleet
