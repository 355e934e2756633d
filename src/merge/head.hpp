// The last layer solved on the whole fleet's data, the layers before it held fixed: a convex problem.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

struct HeadOptions {
  int iterations = 0;
  double ridge = 0.0;  ///< pull towards the head it starts from, in units of tr(G) / d; may grow as in add_ridge()
};

/// Minimises the mean loss of all ranks' `parts` over a network's last affine map, starting from `head`, by accelerated
/// majorisation: the loss lies below the quadratic with curvature c G, G the second moments of the head's inputs and c
/// HeadData::curvature() (Boehning, 1992, for softmax). `parts` are left in the basis in which that curvature, with the
/// ridge, is the identity, so that a step is the gradient itself, and its rounding errors do not grow along directions
/// that the data hardly excite; with momentum and adaptive restarts (Nesterov, 1983; O'Donoghue and Candes, 2015).
/// Gradients cross the network, outputs x inputs an iteration. `moments` are the inputs' over the fleet. Returns the
/// head, on every rank. Collective.
[[nodiscard]] RowMatrix solve_head(const HeadOptions& options, const MergeInput& input,
                                   std::span<const std::unique_ptr<HeadData>> parts, const MapMoments& moments,
                                   const RowMatrix& head, const Comm& comm);

}  // namespace fleet
