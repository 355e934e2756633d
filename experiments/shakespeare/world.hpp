// The workload "shakespeare": a fleet that learns to speak.
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Its row in the table of worlds.
[[nodiscard]] WorldEntry shakespeare_world();

}  // namespace fleet
