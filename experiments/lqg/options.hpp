// An LQG experiment as its configuration states it, with every matrix checked.
#pragma once

#include <vector>

#include "base/settings.hpp"
#include "lqg/imitation.hpp"

namespace fleet {

struct LqgOptions {
  LinearSystem system;               ///< drawn where it is not given
  std::vector<QuadraticCost> tasks;  ///< what robots are asked to do with it
  PolicyKind policy = PolicyKind::kDynamic;
  int horizon = 100;     ///< steps of a trajectory, and of the cost
  int trajectories = 5;  ///< per robot
  bool whiten = true;    ///< policies see E[y y^T]^{-1/2} y, the same for all robots
  int robots = 5;
  enum class Partition {
    kPerTask,  ///< robot i works on task i modulo their number
    kMixture,  ///< on tasks drawn by p_i ~ Dirichlet(alpha), one per trajectory
    kIid,      ///< on tasks drawn alike
  };
  Partition partition = Partition::kPerTask;
  double alpha = 1.0;
  bool common_initialization = false;
  double flipped = 0.0;  ///< share of the robots whose first state, and so every later one, has the opposite sign
  DescentOptions descent;
  std::uint64_t seed = 0;
};

/// Reads "system.*", "noise.*", "tasks.*", "policy.*", "data.*", and of "fleet.*" and "train.*" what concerns these
/// robots. ConfigError names the key of a matrix that does not fit, is not positive where it must be, or leaves the
/// system without a policy that stabilises it.
[[nodiscard]] LqgOptions read_lqg_options(SettingsReader& settings);

}  // namespace fleet
