// The workload "locomotion": bodies that learn to walk online, from episodes of their own.
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Its row in the table of worlds. Without MuJoCo it says what to install, and making it is a ConfigError.
[[nodiscard]] WorldEntry locomotion_world();

}  // namespace fleet
