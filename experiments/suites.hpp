// The table of simulated worlds. A new one is a folder and a line in suites.cpp.
#pragma once

#include <span>

#include "simulation/suite.hpp"

namespace fleet {

/// Every simulated world, in the order they are listed to users.
[[nodiscard]] std::span<const simulation::SuiteEntry* const> suite_table();

}  // namespace fleet
