// How much the sizes of weights vary between models (the paper's Fig. 8).
#pragma once

#include <vector>

#include "train/measurement.hpp"
#include "train/workload.hpp"

namespace fleet {

/// Per tensor and participant ("norms", subject the tensor): "norm" |W_i|, and against the participant i = first with
/// the least number, "variation" ||W_i| - |W_first|| / |W_first| and "difference" |W_i - W_first| / |W_first|; of
/// tensors that are all zero in the first the latter two are NaN. With `merged`, its "norm" as of robot -1. Collective.
[[nodiscard]] std::vector<Measurement> weight_norms(const MergeInput& robots, const ParamVector* merged,
                                                    const Comm& comm);

}  // namespace fleet
