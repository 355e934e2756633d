// How long cells will take that nothing like them has been run of yet: a training step, a merge and a test of each kind
// are tried for a few seconds, and counted.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sweep/cell.hpp"
#include "train/workload.hpp"

namespace fleet {

/// Wall seconds of one cell by what they are spent on.
struct CellTime {
  double setup = 0.0;  ///< its problem is made
  double train = 0.0;
  double merge = 0.0;
  double evaluate = 0.0;
  /// The robots' own policies are tested before they merge: with their training, once for all that go on from it.
  double evaluate_trained = 0.0;
  [[nodiscard]] double total() const { return setup + train + merge + evaluate + evaluate_trained; }
};

class Calibration {
 public:
  /// `alone`: a communicator of one rank. Both outlive the object.
  Calibration(Worlds& worlds, const Comm& alone) : worlds_(worlds), alone_(alone) {}

  /// On a group of so many ranks, each with a core of its own. Tries the cell's kind unless it is known. Error if its
  /// data cannot be loaded.
  [[nodiscard]] CellTime time(const Cell& cell, int ranks);

  /// Seconds that loading took of what the cells so far share: a sweep loads it once.
  [[nodiscard]] double loading() const { return loading_; }

 private:
  /// What a kind of cell costs on this machine, in seconds.
  struct Rates {
    double setup = 0.0;
    double step = 0.0;         ///< a gradient step of one robot
    double part = 0.0;         ///< a part of the test of one model
    double wake = 0.0;         ///< a robot that rested is made ready to train
    double merge = 0.0;        ///< the first merge, whoever takes part
    double merge_robot = 0.0;  ///< and for each robot of a rank that does
    double later = 1.0;        ///< a later merge, as a factor: robots that go on from one another are soon aligned
    int after = 0;             ///< steps that a robot takes in a short round after the merge
    int parts = 0;             ///< of the test of a policy of the whole fleet
    double own_parts = 0.0;    ///< and of a robot's own, on average
    std::vector<std::int64_t> steps;  ///< in a local epoch, by robot
  };
  const Rates& rates_of(const Cell& cell);
  [[nodiscard]] Rates measure(const Cell& cell);
  /// Tries merges of some robots that are on their way.
  void measure_merges(const Cell& cell, const Workload& workload, std::vector<AwakeRobot>& robots, Rates& rates) const;

  Worlds& worlds_;
  const Comm& alone_;
  std::map<std::string, Rates> rates_;  // by kind
  double loading_ = 0.0;
};

}  // namespace fleet
