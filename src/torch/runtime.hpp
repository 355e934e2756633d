// The numerical libraries of this process: their threads, kernels and versions.
#pragma once

#include <string>

namespace fleet {

/// Threads that LibTorch, OpenMP and OpenBLAS may use in this process; each has its own switch.
void set_threads(int threads);

/// OpenBLAS chooses its kernels when it is loaded, by a list of processors: on one newer than itself it falls back to
/// those of 2004, several times slower. Where that has happened this starts the program anew with OPENBLAS_CORETYPE set
/// to what the processor can do; otherwise, and when the user has set that variable, it does nothing. Call first in
/// main, with its argv.
void ensure_fast_blas(char** argv);

/// "1.13.1", and "OpenBLAS 0.3.21 ... SkylakeX", for provenance.
[[nodiscard]] std::string torch_version();
[[nodiscard]] std::string blas_version();

}  // namespace fleet
