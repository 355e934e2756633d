// Facts about this process and its machine.
#pragma once

#include <string>

namespace fleet {

/// Largest resident set of this process so far, in MiB.
[[nodiscard]] double peak_memory_mib();
/// Processor time of this process so far, all threads together.
[[nodiscard]] double processor_seconds();
[[nodiscard]] std::string host_name();
/// Now, in UTC: "2024-03-01T12:00:00Z".
[[nodiscard]] std::string utc_time();
/// Whether a person watches standard error: a terminal here, or, for a process that mpirun started, there.
[[nodiscard]] bool progress_is_watched();

/// From here on up to 256 MiB of freed memory at the end of the heap stay with this process, and blocks of less than
/// 32 MiB come from the heap: a training step asks for what the last one gave back, and the system clears every page
/// that it hands out. Nothing is done where the environment tells glibc otherwise.
void keep_freed_memory();

}  // namespace fleet
