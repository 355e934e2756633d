// What commands share: their options, and the one place where errors become exit codes.
//
// 0 done; 1 something failed; 2 the configuration or command line is wrong; 75 interrupted, run again to resume.
#pragma once

#include <boost/program_options.hpp>

#include <functional>
#include <optional>
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

/// Options of a command with `count` (-1: any number of) positional arguments called `positional`: at least one, unless
/// the name stands in brackets, or none if it is null; prints its help and returns nothing when asked to. ConfigError,
/// with the usage, for what is not understood.
[[nodiscard]] std::optional<boost::program_options::variables_map> parse(
    const Arguments& arguments, boost::program_options::options_description options, const char* positional,
    const std::string& usage, int count = 1);

/// As one word of a shell's, in quotes where it needs them.
[[nodiscard]] std::string shell_quoted(const std::string& text);

/// Runs `work` on every rank that mpirun has started, with what it throws turned into an exit code. A signal at any of
/// them asks all to stop. Only the root prints on standard output. Ranks that were started with other `arguments` than
/// these, or are of another build, are refused.
[[nodiscard]] int on_ranks(const Arguments& arguments, const std::function<int(const Comm& world)>& work);

}  // namespace fleet
