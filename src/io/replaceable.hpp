// What may be written over: what this program has written itself, of the same kind, and nothing else. Whatever else
// lies where something is to go is refused before the work for it begins, or kept beside it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace fleet {

/// A kind of file that this program writes.
struct FileKind {
  const char* name;  ///< "saved model"
  /// Whether the plain file of this name is one, and this program has written it.
  bool (*is_own)(const std::filesystem::path& file);
};

/// Why a path cannot be judged: it climbs out (..) of a folder that is not there, so that it leads elsewhere once that
/// is made. Empty for any other.
[[nodiscard]] std::string why_unclear(const std::filesystem::path& path);

/// Why `path` must not be written over with a file of this kind; empty where there is nothing, or one that this program
/// has written.
[[nodiscard]] std::string why_not_replaceable(const std::filesystem::path& path, const FileKind& kind);
/// Before the work whose result goes to `path`: ConfigError if it must not be written over. Removes what processes that
/// were killed while they wrote it have left beside it.
void require_replaceable(const std::filesystem::path& path, const FileKind& kind);

/// Renames what is there, of whatever kind, to NAME.replaced, or NAME.replaced-2 ... where that is taken, and returns
/// its path; empty where there is nothing. Error if it cannot be done.
std::filesystem::path set_aside(const std::filesystem::path& path);

/// The first few names, in order, and how many there are besides; what a terminal would not print is shown as ?.
[[nodiscard]] std::string some_of(std::vector<std::string> names);

}  // namespace fleet
