// A sweep's directory: what is planned, done, failed and running, readable by anyone at any moment.
//
//   sweep.toml              the canonical configuration
//   cells.tsv               id and label of every cell, in order
//   cells/<id>.h5           a finished cell, complete
//   cells/<id>.failed.h5    a failed cell, with its reason
//   cells/<id>.running      a cell under way: host, process, start, round; touched every round
//   models/<id>/*.h5        its saved models, where run.save_models asks for them
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sweep/cell.hpp"

namespace fleet {

enum class CellState { kPending, kRunning, kFailed, kDone };

struct CellStatus {
  std::string id;
  std::string label;
  CellState state = CellState::kPending;
  std::string detail;  ///< why it failed, or who runs it
};

class SweepDirectory {
 public:
  explicit SweepDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  /// Makes the directory ready for this sweep. Error, with the difference, if it holds a sweep of another configuration
  /// and `accept_changes` is false; Error if it cannot be written.
  void prepare(const Sweep& sweep, bool accept_changes) const;

  [[nodiscard]] std::filesystem::path done_file(const std::string& id) const { return cell(id, ".h5"); }
  [[nodiscard]] std::filesystem::path failed_file(const std::string& id) const { return cell(id, ".failed.h5"); }
  [[nodiscard]] std::filesystem::path running_file(const std::string& id) const { return cell(id, ".running"); }
  [[nodiscard]] std::filesystem::path models(const std::string& id) const { return path_ / "models" / id; }
  [[nodiscard]] CellState state(const std::string& id) const;

  /// Every planned cell. Error if this is no sweep's directory.
  [[nodiscard]] std::vector<CellStatus> status() const;
  /// Files of the finished and failed cells, in the order of the plan.
  [[nodiscard]] std::vector<std::filesystem::path> cell_files() const;
  /// Joins them into one file.
  void collect(const std::filesystem::path& output) const;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  [[nodiscard]] std::filesystem::path cell(const std::string& id, const char* suffix) const {
    return path_ / "cells" / (id + suffix);
  }
  [[nodiscard]] std::vector<CellStatus> planned() const;

  std::filesystem::path path_;
};

}  // namespace fleet
