// How weights do on the test set.
#pragma once

#include <span>
#include <vector>

#include "comm/comm.hpp"
#include "train/workload.hpp"

namespace fleet {

/// What `weights`, the same on every rank, come to on the whole test set (Workload::summarize). The ranks share its
/// parts; all have the same bits, whatever their number. Interrupted, on all of them, after the part under way if any
/// is asked to stop. Collective.
[[nodiscard]] std::vector<NamedValue> test_together(Workload& workload, const ParamVector& weights, const Comm& comm);

/// The same of several models, `mine` of which this rank tests alone: one list per model, those of lower ranks first.
/// Collective.
[[nodiscard]] std::vector<std::vector<NamedValue>> test_each(Workload& workload,
                                                             std::span<const ParamVector* const> mine,
                                                             const Comm& comm);

}  // namespace fleet
