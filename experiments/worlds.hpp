// The table of workloads. A new one is a .cpp file (or a folder) and a line in worlds.cpp.
#pragma once

#include <span>

#include "sweep/world.hpp"

namespace fleet {

/// Every workload, in the order they are listed to users.
[[nodiscard]] std::span<const WorldEntry> world_table();

}  // namespace fleet
