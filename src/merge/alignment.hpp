// Into a common basis before weights are combined: the step that averaging, regression and Fisher merging share.
#pragma once

#include <array>
#include <string_view>

#include "merge/merger.hpp"

namespace fleet {

enum class Alignment {
  kNone,         ///< weights as they are
  kGitRebasin,   ///< permuted by weight matching (match_fleet)
  kActivations,  ///< permuted by activation matching (match_activations)
};
inline constexpr std::array<std::pair<std::string_view, Alignment>, 3> kAlignments{
    {{"none", Alignment::kNone}, {"git-rebasin", Alignment::kGitRebasin}, {"activations", Alignment::kActivations}}};

[[nodiscard]] constexpr Exchange exchange_of(Alignment alignment) {
  return alignment == Alignment::kGitRebasin ? Exchange::kInTurn : Exchange::kSums;
}

/// What it asks of robots.
[[nodiscard]] constexpr Questions questions_of(Alignment alignment) {
  return alignment == Alignment::kActivations ? Questions{Question::kMapMoments} : Questions();
}

/// What a step of matching must gain to be taken, as a share of what has been reached: more than rounding.
inline constexpr double kLeastGain = 1e-7;

/// Per row of the input, what brings it into the common basis, which is that of the previous consensus if there is one;
/// the identity for rows that do not take part. A step of weight matching must gain
/// `least_gain`. Collective.
[[nodiscard]] std::vector<GroupElement> align_fleet(Alignment alignment, const MergeInput& input, const Comm& comm,
                                                    double least_gain = kLeastGain);

}  // namespace fleet
