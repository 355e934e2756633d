// What mergers share: averages and scores over the participants, the same bits for any number of ranks.
#pragma once

#include <functional>

#include "merge/merger.hpp"

namespace fleet {

/// Adds what each participant sends and receives to MergeInput::cost, if anybody counts.
void charge(const MergeInput& input, Cargo cargo, const CargoBytes& each);
/// Of a model's weights in single precision, and of one that a robot sends, in the precision of the input.
[[nodiscard]] std::uint64_t model_bytes(const MergeInput& input);
[[nodiscard]] std::uint64_t sent_bytes(const MergeInput& input);
/// Of a symmetric matrix in single precision, of which one half is sent.
[[nodiscard]] std::uint64_t symmetric_bytes(Eigen::Index size);
/// One participant's weights, on every rank: it sends them, and all receive them. Collective.
[[nodiscard]] ParamVector weights_of(const MergeInput& input, int robot, const Comm& comm);

/// How much each of this rank's rows counts: zero for those that do not take part, else their samples or 1.
[[nodiscard]] std::vector<double> row_weights(const MergeInput& input, bool by_samples);

/// sum_i w_i v_i / sum_i w_i over the fleet, with vectors[i] and weights[i] belonging to input.rows[i].
/// Vectors of weight zero are not read. Collective; Error if all weights are zero. Privately, the participants' mean
/// alone, whatever the weights: MergeInput::privately.
void weighted_mean(const MergeInput& input, std::span<const ParamVector* const> vectors,
                   std::span<const double> weights, const Comm& comm, ParamVector& mean);

/// Every row's weights, moved by its element: elements[i] belongs to input.rows[i].
[[nodiscard]] std::vector<ParamVector> aligned_rows(const MergeInput& input, std::span<const GroupElement> elements);

/// Robots answer from now on in the basis that elements[i] brings input.rows[i] into; in their own where there are no
/// elements (LocalData::enter_basis).
void enter_bases(const MergeInput& input, std::span<const GroupElement> elements);

/// The mean of every participant's weights, moved by its element: elements[i] belongs to input.rows[i]. Collective.
[[nodiscard]] ParamVector aligned_mean(const MergeInput& input, std::span<const GroupElement> elements, bool by_samples,
                                       const Comm& comm);

/// Every participant's model on every rank, one after another in their order: O(weights) of memory. vectors[i] belongs
/// to input.rows[i]. Collective, and so may `visit` be.
void visit_participants(const MergeInput& input, std::span<const ParamVector> vectors, const Comm& comm,
                        const std::function<void(std::size_t place, const ParamVector& weights)>& visit);

/// Every participant's model, in their order, on every rank: O(participants x weights) of memory. vectors[i] belongs to
/// input.rows[i]; by default the robots' own weights. Collective.
[[nodiscard]] std::vector<ParamVector> all_participants(const MergeInput& input, std::span<const ParamVector> vectors,
                                                        const Comm& comm);
[[nodiscard]] std::vector<ParamVector> all_participants(const MergeInput& input, const Comm& comm);

/// Mean held-out score of `at` over all participants' samples. Collective.
[[nodiscard]] double fleet_score(const MergeInput& input, const ParamVector& at, const Comm& comm);
/// Mean held-out loss of the same. Collective.
[[nodiscard]] double fleet_loss(const MergeInput& input, const ParamVector& at, const Comm& comm);
/// Share of `trials` trials of each participant that succeed (LocalData::trials). Collective.
[[nodiscard]] double fleet_success(const MergeInput& input, const ParamVector& at, int trials, const Comm& comm);

/// Whether every participant's loss is a squared error, as that of imitated actions. Collective.
[[nodiscard]] bool fleet_imitates(const MergeInput& input, const Comm& comm);

}  // namespace fleet
