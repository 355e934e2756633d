// How weights do on the test set.
#pragma once

#include <vector>

#include "comm/comm.hpp"
#include "train/workload.hpp"

namespace fleet {

/// The mean of each of workload.metrics() over the whole test set. Without `comm` by this rank alone; with it the ranks
/// share the parts and all have the same bits, whatever their number; then collective.
[[nodiscard]] std::vector<double> test_means(Workload& workload, const ParamVector& weights);
[[nodiscard]] std::vector<double> test_means(Workload& workload, const ParamVector& weights, const Comm& comm);

}  // namespace fleet
