// How much of a cell's fleet a rank holds in memory, for those who plan a sweep.
#pragma once

#include "sweep/cell.hpp"

namespace fleet {

/// Of a rank that carries so many robots of a cell, when it is fullest.
struct Holdings {
  int robots = 0;        ///< that it carries
  int with_weights = 0;  ///< robots with weights of their own; the others stand at the consensus
  int with_moments = 0;  ///< robots whose optimiser keeps moments, for optimisers that have any
  double bytes = 0.0;    ///< of all that, at two moments a weight, with what is computed from them on the way
};
[[nodiscard]] Holdings holdings_of(const Cell& cell, int robots);

}  // namespace fleet
