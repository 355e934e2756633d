// A sweep's directory: what is planned, done, failed and running, readable by anyone at any moment.
//
//   sweep.toml              the canonical configuration
//   cells.tsv               id and label of every cell, in order
//   cells/<id>.h5           a finished cell, complete
//   cells/<id>.failed.h5    a failed cell, with its reason
//   cells/<id>.running      a cell under way: host, process, start, round; touched every round
//   cells/<id>.checkpoint   a cell under way or interrupted, to go on from; .checkpoint.old is the one before
//   cells/<name>.training   what several cells train, as long as one of them waits for it (sweep/common_training.hpp)
//   models/<id>/*.h5        its saved models, where run.save_models asks for them
//   queue.fleet-<run>       which cells a run has handed out, while it lasts
//   cells.lock              locks of the cells that processes are working on, of who prepares the rest (byte 0), and of
//                           all who work here (kPresenceByte), without whom queues, markers and temporary files are a
//                           dead job's
//   runs.tsv                a line per run: what it did, and how well it used its ranks
//
// Whatever else lies there is somebody else's (sweep/directory_files.hpp).
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "io/file_lock.hpp"
#include "sweep/cell.hpp"

namespace fleet {

enum class CellState { kPending, kRunning, kFailed, kDone };

struct CellStatus {
  std::string id;
  std::string label;
  CellState state = CellState::kPending;
  std::string detail;  ///< why it failed, or who runs it
};

/// Of the cells that have left anything in the directory.
using CellStates = std::unordered_map<std::string, CellState>;
[[nodiscard]] CellState state_in(const CellStates& states, const std::string& id);

/// What a run has done.
struct RunSummary {
  int ran = 0;            ///< in this run
  int failed = 0;         ///< in this run
  int failed_before = 0;  ///< recorded earlier and not run again
  int done_before = 0;
  int elsewhere = 0;               ///< left to other jobs that work in the same directory
  double busy_seconds = 0.0;       ///< over all ranks, at work on cells
  double allocated_seconds = 0.0;  ///< over all ranks, from start to end

  /// Busy over allocated time.
  [[nodiscard]] double efficiency() const;
};

/// What a run may do with a directory that is there already.
struct Preparation {
  bool accept_changes = false;    ///< take it over from a sweep of another configuration
  bool into_existing = false;     ///< write beside files of others
  bool keep_checkpoints = false;  ///< also of cells that are done: they may be run again from there
  bool collect = false;           ///< the cells are to be joined into joined_file(), which must be replaceable
};

class SweepDirectory {
 public:
  explicit SweepDirectory(std::filesystem::path path) : path_(std::move(path)) {}

  /// How the configuration of the sweep it holds differs from this one: lines marked - and +; empty where it does not,
  /// or holds none.
  [[nodiscard]] std::string changes(const Sweep& sweep) const;
  /// ConfigError, with the difference, if it holds a sweep of another configuration.
  void require_unchanged(const Sweep& sweep) const;
  /// Why a sweep cannot be run here, whatever its configuration; empty if it can.
  [[nodiscard]] std::string obstacle(const Preparation& allowed) const;
  /// Makes the directory ready for this sweep. ConfigError if there is an obstacle, and, with the difference, if it
  /// holds a sweep of another configuration, unless that is `allowed`; Error if it cannot be written. What dead jobs
  /// have left is removed if nobody else is present; the caller is, as long as it keeps what is returned.
  std::unique_ptr<const LockedFile> prepare(const Sweep& sweep, const Preparation& allowed = {}) const;

  [[nodiscard]] std::filesystem::path done_file(const std::string& id) const { return cell(id, ".h5"); }
  [[nodiscard]] std::filesystem::path failed_file(const std::string& id) const { return cell(id, ".failed.h5"); }
  [[nodiscard]] std::filesystem::path running_file(const std::string& id) const { return cell(id, ".running"); }
  [[nodiscard]] std::filesystem::path models(const std::string& id) const { return path_ / "models" / id; }
  [[nodiscard]] std::filesystem::path checkpoint_file(const std::string& id) const { return cell(id, ".checkpoint"); }
  [[nodiscard]] std::filesystem::path training_file(const std::string& name) const;
  /// The names of those that are there.
  [[nodiscard]] std::vector<std::string> trainings() const;
  /// Creates an empty file of a name that there has not been before. Error if that cannot be done.
  [[nodiscard]] std::filesystem::path new_queue_file() const;
  [[nodiscard]] CellState state(const std::string& id) const;
  /// Of all cells, by one look at the directory.
  [[nodiscard]] CellStates states() const;

  /// Every planned cell. Error if this is no sweep's directory.
  [[nodiscard]] std::vector<CellStatus> status() const;
  /// Files of the finished and failed cells, in the order of the plan.
  [[nodiscard]] std::vector<std::filesystem::path> cell_files() const;
  /// Adds a line to runs.tsv. Error if it cannot be written.
  void note_run(const std::string& started, int ranks, int groups, const RunSummary& summary, bool interrupted) const;
  /// The last line of runs.tsv as column and value; empty where there is none.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> last_run() const;
  /// DIR.h5, beside the directory: where the cells are joined unless another place is named.
  [[nodiscard]] std::filesystem::path joined_file() const;
  /// Joins them into one file. ConfigError where there is one that is no such file of this program.
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
