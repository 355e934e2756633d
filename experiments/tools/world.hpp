// The workload "tools": policies that use tools, cloned from planned demonstrations, judged in closed loop.
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Its row in the table of worlds. Without what it needs it says what to install, and making it is a ConfigError.
[[nodiscard]] WorldEntry tools_world();

}  // namespace fleet
