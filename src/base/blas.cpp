#include "base/blas.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

namespace fleet {
namespace {

/// A function of OpenBLAS, if that is the BLAS in use.
template <class Function>
Function* openblas(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));  // NOLINT
}

}  // namespace

void ensure_fast_blas(char** argv) {
#if defined(__x86_64__)
  auto* core_name = openblas<char*()>("openblas_get_corename");
  if (core_name == nullptr || std::getenv("OPENBLAS_CORETYPE") != nullptr) return;
  const bool fallback = std::strcmp(core_name(), "Prescott") == 0 || std::strcmp(core_name(), "Core2") == 0;
  const char* better = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") ? "SkylakeX"
                       : __builtin_cpu_supports("avx2")                                        ? "Haswell"
                                                                                               : nullptr;
  if (!fallback || better == nullptr) return;
  setenv("OPENBLAS_CORETYPE", better, 1);
  execv("/proc/self/exe", argv);  // only returns if it failed; then the slow kernels have to do
#else
  (void)argv;
#endif
}

void set_openblas_threads(int threads) {
  if (auto* set = openblas<void(int)>("openblas_set_num_threads")) set(threads);
}

std::string openblas_version() {
  auto* config = openblas<char*()>("openblas_get_config");
  if (config == nullptr) return "";
  auto* core = openblas<char*()>("openblas_get_corename");
  return std::string(config()) + (core != nullptr ? std::string(" on ") + core() : "");
}

}  // namespace fleet
