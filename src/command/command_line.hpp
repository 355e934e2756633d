// What commands share: exit codes, words of a shell, and the one place where errors on ranks become exit codes.
//
// 0 done; 1 something failed; 2 the configuration or command line is wrong; 75 interrupted, run again to resume.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "comm/comm.hpp"

namespace fleet {

using Arguments = std::vector<std::string>;

namespace exit_code {
inline constexpr int kFailed = 1;
inline constexpr int kMisused = 2;
inline constexpr int kInterrupted = 75;  // EX_TEMPFAIL
}  // namespace exit_code

/// As one word of a shell's, in quotes where it needs them.
[[nodiscard]] std::string shell_quoted(const std::string& text);

/// Runs `work` on every rank that mpirun has started, with what it throws turned into an exit code. A signal at any of
/// them asks all to stop. Only the root prints on standard output. Ranks that were started with another command or
/// other arguments, or are of another build, are refused.
[[nodiscard]] int on_ranks(const std::string& command, const Arguments& arguments,
                           const std::function<int(const Comm& world)>& work);

}  // namespace fleet
