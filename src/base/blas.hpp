// OpenBLAS, where that is the BLAS in use: its threads, kernels and version.
#pragma once

#include <string>

namespace fleet {

/// OpenBLAS chooses its kernels when it is loaded, by a list of processors: on one newer than itself it falls back to
/// those of 2004, several times slower, of which 0.3.21's dsymv reads past the end of its matrix. Where that has
/// happened this starts the program anew with OPENBLAS_CORETYPE set to what the processor can do; otherwise, and when
/// the user has set that variable, it does nothing. Call first in main, with its argv.
void ensure_fast_blas(char** argv);

void set_openblas_threads(int threads);

/// "OpenBLAS 0.3.21 ... SkylakeX"; empty where another BLAS is in use.
[[nodiscard]] std::string openblas_version();

}  // namespace fleet
