// Is there a barrier between two models? Losses and scores along the segment between their weights, before and after
// alignment (the paper's Section 3.1 and Fig. 3a, b; Frankle et al., 2020; Entezari et al., 2021).
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "instruments/judge.hpp"
#include "train/measurement.hpp"

namespace fleet {

/// Values of some metrics at (1 - lambda) theta + lambda theta', lambda = 0, 1 / (n - 1), ..., 1.
struct Curve {
  std::vector<JudgedMetric> metrics;
  std::vector<std::vector<double>> values;  ///< [metric][point]
  [[nodiscard]] double lambda(std::size_t point) const {
    return static_cast<double>(point) / static_cast<double>(values.front().size() - 1);
  }
};

/// `points` >= 2, the ends exactly `from` and `to`. Collective where `judge` is.
[[nodiscard]] Curve interpolate(const ParamVector& from, const ParamVector& to, int points,
                                const std::function<std::vector<JudgedValue>(const ParamVector&)>& judge);

/// max over lambda of the loss, minus the mean of that at the ends; of what is better when higher, that mean minus the
/// least (the paper's performance barrier). Never negative; 0 between a model and itself.
[[nodiscard]] double barrier(std::span<const double> curve, bool higher_is_better);
/// The same against the straight line between the ends instead of their mean (Entezari et al., 2021): it does not
/// charge the segment with an end that is bad itself.
[[nodiscard]] double barrier_above_line(std::span<const double> curve, bool higher_is_better);

/// How the second of two models is brought to the first.
enum class PairAlignment {
  kNone,        ///< "none": weights as they are
  kGitRebasin,  ///< "git-rebasin": matched to the first by weights (match_weights)
  kMethod,      ///< "method": both moved by the elements that a merging method found
};
[[nodiscard]] std::string_view name_of(PairAlignment alignment);

/// Curves ("interpolation", a row per point) and both barriers ("barrier", "barrier above line") for every pair of
/// participants, under each of `alignments`, `elements` belonging to kMethod and to robots.rows. Collective.
[[nodiscard]] std::vector<Measurement> pairwise_barriers(const MergeInput& robots,
                                                         std::span<const PairAlignment> alignments,
                                                         std::span<const GroupElement> elements, int points,
                                                         const Judge& judge, const Comm& comm);

}  // namespace fleet
