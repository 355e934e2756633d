#include "base/process.hpp"

#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>

#include "base/error.hpp"

namespace fleet {

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024.0;  // Linux counts KiB
}

std::string host_name() {
  std::array<char, 256> name{};
  gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::optional<int> run_program(const std::vector<std::string>& words) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));  // NOLINT: C's signature
  arguments.push_back(nullptr);
  pid_t child = 0;
  if (posix_spawnp(&child, arguments.front(), nullptr, nullptr, arguments.data(), environ) != 0) return std::nullopt;
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
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
