// Follows an alignment from epoch to epoch: what MergeOutcome::series holds.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Share of the units, over all groups, whose place differs in the two.
[[nodiscard]] double units_moved(const GroupElement& from, const GroupElement& to);
/// |P(theta) - reference| / |reference|.
[[nodiscard]] double relative_distance(const SymmetrySpec& symmetry, const GroupElement& element,
                                       const ParamVector& weights, const ParamVector& reference);
/// How far relaxed permutations are from doubly stochastic: the largest difference of a row's or column's sum from one.
[[nodiscard]] double doubly_stochastic_error(const RelaxedElement& element);

/// Each series is a mean over the participants:
///   "distance"           relative_distance() of the hard-aligned weights to the reference;
///   "changes"            units_moved() since the call before, at first since the identity;
///   "doubly stochastic"  the given errors of the relaxed permutations, of methods that relax.
class AlignmentTrace {
 public:
  AlignmentTrace(const MergeInput& input, const Comm& comm);
  AlignmentTrace(const AlignmentTrace&) = delete;
  AlignmentTrace& operator=(const AlignmentTrace&) = delete;

  [[nodiscard]] bool wanted() const { return input_.wants_series; }
  /// Appends one value to each series, if they are wanted; elements[i], relaxed_errors[i] belong to input.rows[i].
  /// Collective.
  void record(const ParamVector& reference, std::span<const GroupElement> elements,
              std::span<const double> relaxed_errors = {});
  [[nodiscard]] AlignmentSeries take() { return std::move(series_); }

 private:
  const MergeInput& input_;
  const Comm& comm_;
  std::vector<GroupElement> before_;
  AlignmentSeries series_;
};

}  // namespace fleet
