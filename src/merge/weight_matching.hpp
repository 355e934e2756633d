// Weight matching (Ainsworth et al., Git Re-Basin, 2022, Algorithm 1): the permutation that brings one model's weights
// nearest to another's.
#pragma once

#include "model/symmetry.hpp"

namespace fleet {

/// Coordinate descent over the groups from `start`: the objective <P(weights), reference> is linear in the permutation
/// of one group, or linearised at the present one where a group acts twice on a tensor (recurrent weights), and an
/// assignment problem solves it; a step is kept only if the true objective rises. Ends when no group improves;
/// deterministic.
[[nodiscard]] GroupElement match_weights(const SymmetrySpec& symmetry, const ParamVector& weights,
                                         const ParamVector& reference, const GroupElement& start);

}  // namespace fleet
