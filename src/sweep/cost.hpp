// What cells cost: predicted from their size, and measured on those that are finished.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "sweep/directory.hpp"

namespace fleet {

class CostModel {
 public:
  /// Looks into a few finished cells of every method of the sweep.
  CostModel(const Sweep& sweep, const SweepDirectory& directory, const CellStates& states);

  /// Seconds times ranks: the cell's predicted cost, scaled as finished cells of its workload and method have shown. Of
  /// a method of which there are none, as all finished cells have; where there are none at all, in arbitrary units.
  /// `trains`: without it the training is left out, which is another cell's.
  [[nodiscard]] double rank_seconds(const Cell& cell, bool trains = true) const;
  /// Whether cells of this one's workload and method are finished.
  [[nodiscard]] bool knows(const Cell& cell) const { return rates_.contains({cell.workload, cell.method}); }
  /// Finished cells that were looked into.
  [[nodiscard]] int measured() const { return measured_; }
  /// Resident, of the largest rank of those.
  [[nodiscard]] double peak_memory_mib() const { return peak_memory_mib_; }

 private:
  struct Rate {
    double rank_seconds = 0.0;
    double training = 0.0;  ///< of these
    double cost = 0.0;
    int cells = 0;
    [[nodiscard]] double value(bool trains) const;
  };
  void measure(const Cell& cell, const std::filesystem::path& file, Rate& rate);

  std::map<std::pair<std::string, std::string>, Rate> rates_;  // by workload and method
  Rate overall_;
  int measured_ = 0;
  double peak_memory_mib_ = 0.0;
};

}  // namespace fleet
