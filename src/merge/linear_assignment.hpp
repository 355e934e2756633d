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

/// The element of a group of kind `kind` that maximises the sum of what `likeness` (new place, old place) says of the
/// units brought together: maximum_assignment(), or where they may be negated that of absolute values.
[[nodiscard]] Permutation match_units(GroupKind kind, const RowMatrix& likeness);

}  // namespace fleet
