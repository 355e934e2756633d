// Locks on bytes of a file, between processes and between machines that share a file system. The system gives them back
// when the process ends, however it ends.
#pragma once

#include <cstdint>
#include <filesystem>

#include "io/descriptor.hpp"

namespace fleet {

class LockedFile {
 public:
  /// Opens the file, which it creates if need be. Error if that cannot be done.
  explicit LockedFile(const std::filesystem::path& path);
  LockedFile(const LockedFile&) = delete;
  LockedFile& operator=(const LockedFile&) = delete;

  /// False if somebody else holds the byte. Error where the file system has no locks.
  [[nodiscard]] bool try_lock(std::int64_t byte) const;
  /// Waits until nobody else holds it.
  void lock(std::int64_t byte) const;
  /// Holds the byte along with others, who may share it too; waits until nobody holds it alone.
  void share(std::int64_t byte) const;
  void unlock(std::int64_t byte) const;

  [[nodiscard]] int descriptor() const { return file_.number(); }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  [[nodiscard]] bool set(std::int64_t byte, int command, short type) const;

  std::filesystem::path path_;
  Descriptor file_;
};

enum class WholeLock {
  kTaken,     ///< ours until the file is closed
  kInUse,     ///< somebody else has it
  kNoneHere,  ///< the file system has no locks
};
/// Locks all of a file that is open for writing.
[[nodiscard]] WholeLock lock_whole(const Descriptor& file);

}  // namespace fleet
