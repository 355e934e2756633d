// Linear control: merging policies whose symmetry is GL(n) (Appendix G).
#pragma once

#include <memory>

#include "sweep/world.hpp"

namespace fleet {

[[nodiscard]] std::unique_ptr<World> make_lqg();

}  // namespace fleet
