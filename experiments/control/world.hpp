// The workload "control": policies of classic control that learn online, from episodes of their own.
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Its row in the table of worlds.
[[nodiscard]] WorldEntry control_world();

}  // namespace fleet
