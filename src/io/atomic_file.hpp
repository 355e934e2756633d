// Files that are complete or absent, whatever happens while they are written: temporary name, fsync, rename, fsync of
// the directory. A process that is killed leaves its temporary file, which others recognise by its name and by a lock
// that nobody holds any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "io/descriptor.hpp"

namespace fleet {

/// A new file beside `target`, called TARGET.fleet-HOST.PROCESS.tmp, until commit() puts it in the place of `target`;
/// without, it goes with this object. Never one that was there before, nor one that a link leads to.
class TemporaryFile {
 public:
  /// Error if it cannot be created.
  explicit TemporaryFile(std::filesystem::path target);
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile();

  /// Appends. Error when the disk is full.
  void write(std::string_view bytes);
  /// Gives it this size, with room for it on the disk; Error when there is none.
  void resize(std::uint64_t size);
  /// Writes within its size; write() goes on where it was.
  void write_at(std::uint64_t place, std::span<const std::byte> bytes);
  /// Error if what was written cannot be put safely on disk.
  void sync();
  /// Error if it cannot take its place; what was there before is then there still.
  void commit();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  [[nodiscard]] bool create(int attempt);

  std::filesystem::path target_;
  std::filesystem::path path_;
  Descriptor file_;
};

/// The name of the file that one of this name in the same directory was to become; none unless it is a temporary one.
/// Those of earlier versions, TARGET.HOST.PROCESS.tmp, are known too if they were written on this host.
[[nodiscard]] std::optional<std::string> target_of_temporary(std::string_view name);
/// Removes the temporary file unless a process, here or on another machine, is writing it. Not where the file system
/// has no locks, which alone tell.
void remove_temporary(const std::filesystem::path& file);
/// Removes those temporary files in `directory` that nobody is writing, of targets by the names that `is_target`.
void remove_temporaries(const std::filesystem::path& directory,
                        const std::function<bool(const std::string& target)>& is_target);

/// Writes all bytes from `place` on; Error naming the file when the disk is full.
void write_at(const Descriptor& file, std::uint64_t place, std::span<const std::byte> bytes, const std::string& name);
/// ": No space left on device", by errno; nothing where that is 0.
[[nodiscard]] std::string system_reason();
/// Flushes a directory's entries, so that a renamed file survives a crash of the machine.
void sync_directory(const std::filesystem::path& directory);

/// Error if it cannot be written; what was there before is then there still.
void write_file_atomically(const std::filesystem::path& path, std::string_view text);
/// The same without fsync: whole to whoever reads it, but a crash of the machine may leave it empty.
void replace_file(const std::filesystem::path& path, std::string_view text);

}  // namespace fleet
