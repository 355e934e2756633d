// How far a sweep is, for a person at a terminal or for a log.
#pragma once

#include <ostream>
#include <string>

#include "base/stopwatch.hpp"

namespace fleet {

/// Counts work done against work planned. At a terminal it redraws one bar; in a log it adds a line at intervals.
class Progress {
 public:
  /// `watched`: draw a bar (see progress_is_watched()).
  Progress(std::ostream& out, double total_cost, int total_cells, bool watched);

  /// A share of the present cell's cost is done; `label` says where it stands.
  void advance(double cost, const std::string& label);
  /// The present cell, of `cost` in all, has ended; `failure` says why if before it was done.
  void cell_finished(double cost, const std::string& label, const std::string& failure);
  /// How many cells have ended in all, where others work on them too.
  void tell(int cells_ended);
  /// Ends the bar's line.
  void close();

 private:
  void draw(const std::string& label);

  std::ostream& out_;
  double total_cost_;
  int total_cells_;
  bool watched_;
  double cost_of_finished_ = 0.0;
  double cost_of_present_ = 0.0;
  int cells_done_ = 0;   // reported here
  int cells_ended_ = 0;  // these and others
  Stopwatch since_start_;
  double drawn_at_ = -1e9;
};

/// "42 s", "3 min 20 s", "2 h 5 min".
[[nodiscard]] std::string duration_text(double seconds);

}  // namespace fleet
