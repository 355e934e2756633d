// The last layer of a merged network, solved anew for the whole fleet behind layers that stay as they are.
#pragma once

#include "merge/fleet_memory.hpp"

namespace fleet {

struct SolvedHeadOptions {
  enum class Target {
    kLoss,     ///< minimises the loss itself
    kLabels,   ///< least squares onto labels (one-hot) or actions
    kOutputs,  ///< least squares onto the robots' own outputs: no labels are used
  };
  Target target = Target::kLoss;
  double ridge = 0.0;  ///< as in solve_map()
  int iterations = 100;
  double memory_curvature = 0.01;  ///< of what is remembered of the loss of robots that are away, per output
};

/// Overwrites the last map of `merged`. Neither starts from nor is drawn to the robots' own heads: their outputs grow
/// in the course of training on skewed data, and from merge to merge without bound if a merged head follows them.
/// Robots that are away are represented by their loss as far as `memory` knows it: it rises from the previous consensus
/// with the second moments of their features. Not for Target::kOutputs. Collective.
void solve_last_map(const SolvedHeadOptions& options, const MergeInput& input, const FleetMemory& memory,
                    ParamVector& merged, const Comm& comm);

}  // namespace fleet
