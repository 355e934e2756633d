// The table of worlds. A new one is a folder and a line in worlds.cpp.
#pragma once

#include <span>

#include "sweep/world.hpp"

namespace fleet {

/// Every world, in the order they are listed to users.
[[nodiscard]] std::span<const WorldEntry> world_table();

}  // namespace fleet
