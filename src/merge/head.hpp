// The last layer solved on the whole fleet's data, the layers before it held fixed: a convex problem.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

struct HeadOptions {
  int iterations = 50;
  double ridge = 1e-4;  ///< pull towards the head it starts from, in units of tr(G) / d
};

/// Minimises the participants' mean training loss over the last affine map of `weights`, in place, by accelerated
/// majorisation: the loss lies below the quadratic with curvature c G, G the second moments of the head's inputs and c
/// HeadData::curvature() (Boehning, 1992, for softmax), so that every step is one solve with the same factor; with
/// momentum and adaptive restarts (Nesterov, 1983; O'Donoghue and Candes, 2015). Gradients cross the network, outputs x
/// inputs an iteration. Returns the mean loss at each iterate. Collective.
std::vector<double> solve_head(const HeadOptions& options, const MergeInput& input, const MapMoments& moments,
                               ParamVector& weights, const Comm& comm);

}  // namespace fleet
