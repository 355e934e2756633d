// Least squares over a whole fleet: second moments summed over the robots, solved at the root. What crosses the network
// per affine map is O(inputs (inputs + outputs)), whatever the number of robots and samples.
#pragma once

#include <functional>

#include "merge/merger.hpp"

namespace fleet {

/// The sum over all participants of what `ask` gets from each; `inputs` and `outputs` are the map's. Collective.
[[nodiscard]] MapMoments sum_moments(const MergeInput& input, const Comm& comm, const AffineMap& map,
                                     const std::function<MapMoments(const MergeRow& row, std::size_t index)>& ask);

/// argmin_W sum |W x - t|^2 + ridge tr(G) / d |W - prior|^2 with G = sum x x^T (d x d): outputs x inputs, on every rank.
/// Collective. Error if the moments are not finite.
[[nodiscard]] RowMatrix solve_map(const MapMoments& moments, double ridge, const RowMatrix& prior, const Comm& comm);

}  // namespace fleet
