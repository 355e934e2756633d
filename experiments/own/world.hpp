// workload = "external": a fleet of the user's own, in a program that a rank starts and talks to (docs/protocol.md).
#pragma once

#include <memory>

#include "sweep/world.hpp"

namespace fleet {

/// Its row in the table of worlds.
[[nodiscard]] WorldEntry own_world();

/// What may be done to the units of every group.
[[nodiscard]] GroupKind kind_of(const SymmetrySpec& symmetry);

}  // namespace fleet
