// Is a merged policy a good place to go on from (the paper's Fig. 3c)?
#pragma once

#include <string>
#include <vector>

#include "train/measurement.hpp"
#include "train/workload.hpp"

namespace fleet {

/// Test metrics ("finetune", by step) of `start`, and after every `every` of `steps` gradient steps on data that no
/// robot has trained on (Workload::make_finetune_robot()). Without `start`, from that robot's first weights. The root
/// trains, all test. Collective.
[[nodiscard]] std::vector<Measurement> finetune_curve(Workload& workload, const ParamVector* start, int steps,
                                                      int every, const std::string& subject, const Comm& comm);

}  // namespace fleet
