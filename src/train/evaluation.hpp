// How weights do on the test set.
#pragma once

#include <functional>
#include <vector>

#include "comm/comm.hpp"
#include "train/workload.hpp"

namespace fleet {

/// What `weights`, the same on every rank, come to on the whole test set (Workload::summarize). The ranks share its
/// parts; all have the same bits, whatever their number. Interrupted, on all of them, after the part under way if any
/// is asked to stop. Collective.
[[nodiscard]] std::vector<NamedValue> test_together(Workload& workload, const ParamVector& weights, const Comm& comm);

/// What models of a fleet's robots come to, each on its own parts of the test set (Workload::parts_of).
struct TestedFleet {
  std::vector<std::vector<NamedValue>> each;  ///< per robot
  std::vector<NamedValue> together;           ///< of all their scores
};

/// Of the models of `robots`, this rank's, the i-th being weights(i, scratch), which may be written to `scratch`. All
/// ranks' together are the robots from 0 on, in their order. Those that are the object `shared` are tested once, where
/// their parts are the same. Collective.
[[nodiscard]] TestedFleet test_fleet(
    Workload& workload, std::span<const int> robots,
    const std::function<const ParamVector&(std::size_t i, ParamVector& scratch)>& weights, const ParamVector* shared,
    const Comm& comm);

}  // namespace fleet
