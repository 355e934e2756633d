// What a merge did to the fleet: how far robots were from the consensus, before and after they were aligned, and how
// the alignment went from epoch to epoch.
#pragma once

#include <vector>

#include "train/measurement.hpp"
#include "train/workload.hpp"

namespace fleet {

/// Per participant ("alignment"): its relative distance to the consensus, subject "before" and "after" it was moved by
/// its element, and the share of its units that the element moves; then the outcome's series, subject "epochs", by
/// epoch. Outcomes without elements have only the distance before. Collective.
[[nodiscard]] std::vector<Measurement> alignment_summary(const MergeInput& robots, const MergeOutcome& outcome,
                                                         const Comm& comm);

}  // namespace fleet
