// How far a sweep is, for a person at a terminal or for a log.
#pragma once

#include <ostream>
#include <string>

#include "base/stopwatch.hpp"

namespace fleet {

/// Cells' seconds as finished ones show them: a rate for each unit of a cell's expected training, and a constant for
/// what else it does, merges and tests.
class CellSeconds {
 public:
  /// Until a cell has trained, merges and tests are taken for a share of the training of a cell of `usual` units, a
  /// positive number.
  explicit CellSeconds(double usual) : usual_(usual) {}
  /// A cell has taken so long for its training, and for the rest.
  void note(double training, double trained, double rest);
  /// Of so many cells with so much training in all; in other units as long as none is noted.
  [[nodiscard]] double of(double training, double cells) const;

 private:
  double usual_;
  double cells_ = 0.0;
  double trainings_ = 0.0;  // in units of usual_
  double trained_ = 0.0;    // seconds
  double rest_ = 0.0;
};

/// What of a cell is done: of its training, and of what else it does.
struct CellShare {
  double trained = 0.0;
  double rest = 0.0;
};

/// Counts work done against work planned. At a terminal it redraws one bar; in a log it adds a line at intervals.
class Progress {
 public:
  /// Of `total_cells`, whose trainings are `total_training` in all, in units of any kind, so many groups of ranks do
  /// a like share each. `watched`: draw a bar (see progress_is_watched()). `trained`: how many of the cells train; 0:
  /// all.
  Progress(std::ostream& out, double total_training, int total_cells, int groups, bool watched, int trained = 0);

  /// Whether advance() would draw or write a line.
  [[nodiscard]] bool is_due() const;
  /// So much of the present cell, whose training is `training`, is done; `label` says where it stands.
  void advance(const CellShare& done, double training, const std::string& label);
  /// The present cell has ended, for whose training robots took so many seconds; `failure` says why if before it was
  /// done.
  void cell_finished(double training, double trained_seconds, const std::string& label, const std::string& failure);
  /// How many cells have ended in all, where others work on them too.
  void tell(int cells_ended);
  /// Ends the bar's line.
  void close();

 private:
  void draw(const std::string& label);
  /// Of this group's work, what is done.
  [[nodiscard]] double share() const;

  std::ostream& out_;
  double total_training_;
  int total_cells_;
  int groups_;
  bool watched_;
  CellSeconds seconds_;
  double training_of_finished_ = 0.0;
  double training_of_present_ = 0.0;
  CellShare share_of_present_;
  double present_since_ = 0.0;
  int cells_done_ = 0;   // reported here
  int cells_ended_ = 0;  // these and others
  Stopwatch since_start_;
  double drawn_at_ = -1e9;
};

/// "42 s", "3 min 20 s", "2 h 5 min".
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace fleet
