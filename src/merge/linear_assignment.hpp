// The linear assignment problem: the hard projection onto permutations, which the relaxed one tends
// to (FLEET-MERGE eq. 3.2, tau -> 0). Merging methods call it to match the units of two networks.
#pragma once

#include "model/param_layout.hpp"
#include "model/symmetry.hpp"

namespace fleet {

/// The permutation maximising sum_i score(i, perm[i]), for a square matrix of finite scores.
/// Shortest augmenting paths (Jonker and Volgenant, 1987), O(n^3), in double precision. Ties break
/// the same way in every run.
[[nodiscard]] Permutation maximum_assignment(const RowMatrix& score);

}  // namespace fleet
