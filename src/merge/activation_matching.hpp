// Activation matching (Li et al., 2016; Ainsworth et al., 2022, Section 3.1): units are matched by what they compute on
// data rather than by their weights.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Per row of the input, the permutations that match the robot's units to those of a reference, the previous consensus
/// or else the first participant, by the correlation of their pre-activations on the robot's own data, which goes
/// nowhere; the identity for rows that do not take part. One assignment per group. Collective. Error if the network
/// does not say what its layers are.
[[nodiscard]] std::vector<GroupElement> match_activations(const MergeInput& input, const Comm& comm);

}  // namespace fleet
