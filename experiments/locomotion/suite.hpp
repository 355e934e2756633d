// Locomotion as one of the simulated worlds.
#pragma once

#include "simulation/suite.hpp"

namespace fleet::locomotion {

/// Its row in the table of simulated worlds.
[[nodiscard]] const simulation::SuiteEntry& suite_entry();

}  // namespace fleet::locomotion
