// The world of tools as one of the simulated worlds.
#pragma once

#include "simulation/suite.hpp"
#include "tools/family.hpp"

namespace fleet::tools {

/// Its row in the table of simulated worlds.
[[nodiscard]] const simulation::SuiteEntry& suite_entry();
/// That a task of such a suite is of.
[[nodiscard]] const Family& family_of(const simulation::Suite& suite, int task);

}  // namespace fleet::tools
