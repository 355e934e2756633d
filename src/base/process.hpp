// Facts about this process and its machine.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace fleet {

/// Largest resident set of this process so far, in MiB.
[[nodiscard]] double peak_memory_mib();
[[nodiscard]] std::string host_name();
/// Runs a program, found on the PATH unless its name holds a slash, and waits for it: its exit code (-1 if a signal
/// ended it), or nothing where there is no such program.
[[nodiscard]] std::optional<int> run_program(const std::vector<std::string>& words);
/// Now, in UTC: "2024-03-01T12:00:00Z".
[[nodiscard]] std::string utc_time();
/// Whether a person watches standard error: a terminal here, or, for a process that mpirun started, there.
[[nodiscard]] bool progress_is_watched();

}  // namespace fleet
