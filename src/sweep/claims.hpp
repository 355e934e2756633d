// Which process may work on which cell, also when several jobs share a sweep's directory.
#pragma once

#include <filesystem>
#include <string>

#include "io/file_lock.hpp"

namespace fleet {

/// A byte of cells.lock that everybody shares who may write in the sweep's directory.
inline constexpr std::int64_t kPresenceByte = std::int64_t{1} << 62U;

/// Locks of single bytes in the file cells.lock, one byte per cell by its id: none is left behind by a process that
/// ends.
class CellClaims {
 public:
  /// Is present for its life. Error if the file cannot be opened.
  explicit CellClaims(const std::filesystem::path& directory) : file_(directory / "cells.lock") {
    file_.share(kPresenceByte);
  }

  /// False if another process has it. Error where the file system has no locks.
  [[nodiscard]] bool take(const std::string& id) const;
  void release(const std::string& id) const;

 private:
  LockedFile file_;
};

}  // namespace fleet
