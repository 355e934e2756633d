// What becomes of robots that go on alone after the last merge, with what was merged held fixed.
#pragma once

#include <vector>

#include "train/round_loop.hpp"
#include "train/workload.hpp"

namespace fleet {

/// Test metrics ("personal", by step) of every robot's policy after the merge, and after every `every` of `steps`
/// gradient steps on its own data (LocalData::take_steps) of what it keeps to itself; where all is merged, of all its
/// weights. Subject "robot" for each, "fleet" for all together. Collective.
[[nodiscard]] std::vector<Measurement> personal_curve(Workload& workload, const RoundView& view, int steps, int every,
                                                      const Comm& comm);

}  // namespace fleet
