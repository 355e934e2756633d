// Least squares over a whole fleet: second moments summed over the robots, solved at the root. What crosses the network
// per affine map is O(inputs (inputs + outputs)), whatever the number of robots and samples.
#pragma once

#include <functional>
#include <optional>

#include "merge/merger.hpp"

namespace fleet {

/// The sum over the fleet of what `ask` gets for each row of the input, if anything. Collective.
[[nodiscard]] MapMoments sum_moments(const MergeInput& input, const Comm& comm, const AffineMap& map,
                                     const std::function<std::optional<MapMoments>(std::size_t row)>& ask);

/// argmin_W sum |W x - t|^2 + ridge tr(G) / d |W - prior|^2 with G = sum x x^T (d x d): outputs x inputs, on every
/// rank. Collective. Error if the moments are not finite.
[[nodiscard]] RowMatrix solve_map(const MapMoments& moments, double ridge, const RowMatrix& prior, const Comm& comm);

/// Makes `map` of `parameters` that solution; a norm of the map's takes the statistics of its outputs over the fleet's
/// data. Collective.
void fit_map(const AffineMap& map, const MapMoments& moments, double ridge, const RowMatrix& prior, const Comm& comm,
             ParamVector& parameters);

}  // namespace fleet
