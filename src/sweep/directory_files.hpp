// Which files in and beside a sweep's directory are this program's: known by a name that nothing else has, in the place
// where it writes them. Nothing else there is ever removed or written over.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fleet {

/// In a sweep's directory; mkstemp() fills in the end.
inline constexpr const char* kQueuePattern = "queue.fleet-XXXXXX";

/// What follows its name in that of a training that several cells have in common.
inline constexpr const char* kTraining = ".training";

/// Whether a text is the name of a cell or of what it trains: sixteen hexadecimal digits, as Hash::hex() has them.
[[nodiscard]] bool is_id(std::string_view text);

/// Whether a file is there that is no link.
[[nodiscard]] bool is_plain_file(const std::filesystem::path& path);

/// Where the cells of a sweep's directory are joined: DIR.h5, beside it.
[[nodiscard]] std::filesystem::path joined_file(const std::filesystem::path& directory);

/// Why no sweep may be run in this directory; empty if one may. It may where there is none yet, or an empty one; where
/// a sweep has been prepared, if only in part; where only logs and scripts of batch jobs lie; and, `into_existing`,
/// beside whatever else does not have the name of one of our files. No file of ours may be a symbolic link.
[[nodiscard]] std::string why_not_for_a_sweep(const std::filesystem::path& directory, bool into_existing);

/// Removes what killed processes have left in a sweep's directory where nobody else works: queues, files half written,
/// markers, and checkpoints of cells that are done unless `keep_checkpoints`. Also half-written joined files.
void remove_leftovers(const std::filesystem::path& directory, bool keep_checkpoints);

}  // namespace fleet
