// What a sweep would run, for a person to read.
#pragma once

#include <ostream>

#include "sweep/cell.hpp"

namespace fleet {

/// Cells, axes, groups of ranks and memory of `sweep` on `ranks` ranks; with `list_cells`, every cell.
void print_plan(std::ostream& out, const Sweep& sweep, int ranks, bool list_cells);

}  // namespace fleet
