// The workload "metaworld": manipulation policies cloned from demonstrations, judged in closed loop.
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Its row in the table of workloads. Without MuJoCo it says what to install, and making it is a ConfigError.
[[nodiscard]] WorldEntry metaworld_world();

}  // namespace fleet
