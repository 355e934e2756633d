// What mergers share: averages and scores over the participants, the same bits for any number of ranks.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// How much each of this rank's rows counts: zero for those that do not take part, else their samples or 1.
[[nodiscard]] std::vector<double> row_weights(const MergeInput& input, bool by_samples);

/// sum_i w_i v_i / sum_i w_i over the fleet, with vectors[i] and weights[i] belonging to input.rows[i].
/// Vectors of weight zero are not read. Collective; Error if all weights are zero.
void weighted_mean(std::span<const ParamVector* const> vectors, std::span<const double> weights, const Comm& comm,
                   ParamVector& mean);

/// Every row's weights, moved by its element: elements[i] belongs to input.rows[i].
[[nodiscard]] std::vector<ParamVector> aligned_rows(const MergeInput& input, std::span<const GroupElement> elements);

/// The mean of every participant's weights, moved by its element: elements[i] belongs to input.rows[i]. Collective.
[[nodiscard]] ParamVector aligned_mean(const MergeInput& input, std::span<const GroupElement> elements, bool by_samples,
                                       const Comm& comm);

/// Every participant's model, in their order, on every rank: O(participants x weights) of memory. vectors[i] belongs to
/// input.rows[i]; by default the robots' own weights. Collective.
[[nodiscard]] std::vector<ParamVector> all_participants(const MergeInput& input, std::span<const ParamVector> vectors,
                                                        const Comm& comm);
[[nodiscard]] std::vector<ParamVector> all_participants(const MergeInput& input, const Comm& comm);

/// Mean held-out score of `at` over all participants' samples. Collective.
[[nodiscard]] double fleet_score(const MergeInput& input, const ParamVector& at, const Comm& comm);
/// Mean held-out loss of the same. Collective.
[[nodiscard]] double fleet_loss(const MergeInput& input, const ParamVector& at, const Comm& comm);

}  // namespace fleet
