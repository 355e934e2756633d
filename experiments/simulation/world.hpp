// A workload of policies cloned from demonstrations of a simulated world, judged in closed loop.
#pragma once

#include "simulation/suite.hpp"
#include "sweep/world.hpp"

namespace fleet::simulation {

[[nodiscard]] std::unique_ptr<World> make_cloning_world(const SuiteEntry& entry);

}  // namespace fleet::simulation
