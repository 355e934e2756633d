// Linear control: merging policies whose symmetry is GL(n) (Appendix G).
#pragma once

#include "sweep/world.hpp"

namespace fleet {

/// Its row in the table of worlds.
[[nodiscard]] WorldEntry lqg_world();

}  // namespace fleet
