// Weight matching (Ainsworth et al., Git Re-Basin, 2022): the permutations that bring models' weights near each other.
#pragma once

#include "merge/alignment.hpp"
#include "merge/merger.hpp"

namespace fleet {

inline constexpr int kMaxSweeps = 100;  // Ainsworth et al.'s

/// When matching ends.
struct MatchingEnd {
  int max_sweeps = kMaxSweeps;
  double least_gain = kLeastGain;  ///< of a step, as a share of the objective <P(weights), reference>
};

/// Algorithm 1, two models: coordinate descent from `start` over the groups, in an order drawn anew from `order` each
/// sweep. The objective <P(weights), reference> is linear in the permutation of one group, or linearised at the present
/// one where a group acts on both axes of a tensor (recurrent weights), and an assignment problem solves it; a step is
/// kept only if the true objective rises. Ends when no group improves.
[[nodiscard]] GroupElement match_weights(const SymmetrySpec& symmetry, const ParamVector& weights,
                                         const ParamVector& reference, const GroupElement& start, RandomStream& order);

struct MatchedFleet {
  std::vector<GroupElement> elements;  ///< per row of the input; the identity for rows that do not take part
  int sweeps = 0;
  std::vector<double> objective;  ///< per sweep, mean squared distance of the participants from their mean; falls
  AlignmentSeries series;         ///< per sweep, if wanted (AlignmentTrace)
};

/// Algorithm 3 (MergeMany): each participant in turn, in random order, is matched to the mean of the others, until a
/// whole sweep improves nothing. Ours: all propose at once, in parallel, and in their turn a
/// proposal is taken up if it still brings the fleet nearer together, so that the time falls with the number of ranks.
/// Collective.
[[nodiscard]] MatchedFleet match_fleet(const MergeInput& input, const Comm& comm, const MatchingEnd& end = {});

}  // namespace fleet
