// The workloads "locomotion", bodies that learn to walk online, from episodes of their own, and "locomotion-offline",
// the same bodies learning from recorded trajectories.
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Their rows in the table of worlds. Without MuJoCo they say what to install, and making one is a ConfigError.
[[nodiscard]] WorldEntry locomotion_world();
[[nodiscard]] WorldEntry locomotion_offline_world();

}  // namespace fleet
