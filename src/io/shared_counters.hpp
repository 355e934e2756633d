// Whole numbers in a file that processes on any machine may read and change at any time.
//
// One-sided MPI would be the obvious means, but Open MPI offers no windows over plain TCP, and a rank that answers
// messages would keep the others waiting while it computes. A lock on a shared file system takes well under a
// millisecond.
#pragma once

#include <cstdint>
#include <filesystem>

#include "io/file_lock.hpp"

namespace fleet {

/// All numbers are 0 until they are changed; each operation is atomic. Error where the file cannot be read or written.
class SharedCounters {
 public:
  explicit SharedCounters(const std::filesystem::path& file) : file_(file) {}

  [[nodiscard]] std::int64_t read(std::size_t counter) const { return add(counter, 0); }
  /// Adds `amount` and returns what there was before.
  std::int64_t add(std::size_t counter, std::int64_t amount) const;

 private:
  LockedFile file_;
};

}  // namespace fleet
