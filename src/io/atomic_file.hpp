// Files that are complete or absent, whatever happens while they are written: temporary name, fsync, rename, fsync of
// the directory.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace fleet {

/// Beside `path`, and nobody else's.
[[nodiscard]] std::filesystem::path temporary_name(const std::filesystem::path& path);
/// ": No space left on device", by errno; nothing where that is 0.
[[nodiscard]] std::string system_reason();
/// Error if what is written to the file cannot be put on disk.
void sync_file(const std::filesystem::path& file);
/// Flushes a directory's entries, so that a renamed file survives a crash of the machine.
void sync_directory(const std::filesystem::path& directory);

/// Error if it cannot be written; what was there before is then there still.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);
/// The same without fsync: whole to whoever reads it, but a crash of the machine may leave it empty.
void replace_file(const std::filesystem::path& path, std::string_view text);

}  // namespace fleet
