#include "base/process.hpp"

#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/error.hpp"

namespace fleet {

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;  // Linux counts KiB
}

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

void keep_freed_memory() {
#if defined(__GLIBC__) && defined(__LP64__)
  if (std::getenv("MALLOC_TRIM_THRESHOLD_") != nullptr || std::getenv("MALLOC_MMAP_THRESHOLD_") != nullptr) return;
  constexpr int kMost = 256 << 20;
  constexpr int kLargestBlock = 32 << 20;  // the most that glibc accepts
  mallopt(M_TRIM_THRESHOLD, kMost);
  mallopt(M_MMAP_THRESHOLD, kLargestBlock);
#endif
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text.data();
}

bool progress_is_watched() {
  if (isatty(STDERR_FILENO) != 0) return true;
  // mpirun reads its ranks' output through pipes; the terminal, if any, is its own standard error.
  std::error_code error;
  const std::string parent = cat("/proc/", getppid());
  const std::string launcher = std::filesystem::read_symlink(parent + "/exe", error).filename().string();
  if (error || (launcher != "orterun" && launcher != "mpirun" && launcher != "mpiexec" && launcher != "prterun" &&
                launcher != "hydra_pmi_proxy")) {
    return false;
  }
  return std::filesystem::read_symlink(parent + "/fd/2", error).string().starts_with("/dev/pts/");
}

}  // namespace fleet
