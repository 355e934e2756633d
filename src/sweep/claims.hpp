// Which process may work on which cell, also when several jobs share a sweep's directory.
#pragma once

#include <filesystem>
#include <string>

namespace fleet {

/// Locks of single bytes in the file cells.lock, one byte per cell by its id. The system gives them back when a process
/// ends, however it ends, so that none is left behind; on a network file system, when its lock service says so. Where
/// the file system has no locks, everything is free: then one job at a time is up to the user.
class CellClaims {
 public:
  /// Error if the file cannot be opened.
  explicit CellClaims(const std::filesystem::path& directory);
  CellClaims(const CellClaims&) = delete;
  CellClaims& operator=(const CellClaims&) = delete;
  ~CellClaims();

  /// False if another process has it.
  [[nodiscard]] bool take(const std::string& id) const;
  void release(const std::string& id) const;

 private:
  [[nodiscard]] bool set(const std::string& id, short type) const;
  int file_ = -1;
};

}  // namespace fleet
