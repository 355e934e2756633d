// What robots have sent in the last merge that each took part in, for the merges that they miss.
#pragma once

#include <map>
#include <vector>

#include "merge/merger.hpp"

namespace fleet {

struct RobotMemory {
  std::vector<DoubleMatrix> inputs;  ///< per map, second moments of what enters it in the consensus of that merge
  double samples = 0.0;
};

/// Kept on the rank that simulates the robot.
class FleetMemory {
 public:
  /// Of row `row`'s robot, if it is away and has sent something before, else nullptr.
  [[nodiscard]] const RobotMemory* of(const MergeInput& input, std::size_t row) const;
  /// Whether any robot that is away is remembered. Collective.
  [[nodiscard]] bool has_any(const MergeInput& input, const Comm& comm) const;
  /// Participants send theirs, at `consensus`, if any robot is away: those who are will be missed one day. Collective.
  void note(const MergeInput& input, const ParamVector& consensus, const Comm& comm);

  /// As Merger's.
  void save(int robot, StateWriter& state) const;
  void load(int robot, StateReader& state);

 private:
  std::map<int, RobotMemory> robots_;
};

}  // namespace fleet
