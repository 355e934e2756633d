#include "simulation/mesa_llvm.hpp"

#include <dlfcn.h>
#include <link.h>

#include <string>
#include <string_view>

#include "base/error.hpp"

namespace fleet::simulation {
namespace {

#if defined(__aarch64__)
constexpr std::string_view kProcessor = "AArch64";
#elif defined(__powerpc64__)
constexpr std::string_view kProcessor = "PowerPC";
#elif defined(__riscv)
constexpr std::string_view kProcessor = "RISCV";
#else
constexpr std::string_view kProcessor = "X86";
#endif

/// The file of the LLVM library among those that are loaded; empty if there is none.
std::string loaded_llvm() {
  std::string file;
  const auto look = [](dl_phdr_info* library, std::size_t /*size*/, void* found) {
    const std::string_view name = library->dlpi_name;
    if (name.find("/libLLVM") == std::string_view::npos) return 0;
    *static_cast<std::string*>(found) = name;
    return 1;
  };
  dl_iterate_phdr(look, &file);
  return file;
}

}  // namespace

void prepare_llvm_of_mesa() {
  const std::string file = loaded_llvm();
  if (file.empty()) return;
  void* const library = dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD);  // kept: it stays as long as we do
  if (library == nullptr) return;
  for (const char* part : {"TargetInfo", "Target", "TargetMC", "AsmPrinter"}) {
    const std::string name = cat("LLVMInitialize", kProcessor, part);
    void* const own = dlsym(library, name.c_str());
    if (own == nullptr || own == dlsym(RTLD_DEFAULT, name.c_str())) continue;
    reinterpret_cast<void (*)()>(own)();  // NOLINT
  }
}

}  // namespace fleet::simulation
