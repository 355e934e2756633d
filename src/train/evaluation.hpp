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

/// The same of the `count` models that this rank tests alone, each its i-th weights(i, scratch), which may be written
/// to `scratch`: one list per model, those of lower ranks first. Those that are the object `shared` are tested once.
/// Collective.
[[nodiscard]] std::vector<std::vector<NamedValue>> test_each(
    Workload& workload, std::size_t count,
    const std::function<const ParamVector&(std::size_t i, ParamVector& scratch)>& weights, const ParamVector* shared,
    const Comm& comm);

}  // namespace fleet
