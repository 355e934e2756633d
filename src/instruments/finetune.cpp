#include "instruments/finetune.hpp"

#include <algorithm>
#include <optional>

#include "train/evaluation.hpp"

namespace fleet {

std::vector<Measurement> finetune_curve(Workload& workload, const ParamVector* start, int steps, int every,
                                        const std::string& subject, const Comm& comm) {
  std::optional<AwakeRobot> robot;  // at the root
  comm.together([&] {
    if (!comm.is_root()) return;
    robot.emplace(workload.make_finetune_robot(), workload.symmetry().layout(), workload.optimizer());
    robot->robot->expect(steps);
    if (start != nullptr) std::ranges::copy(start->flat(), robot->weights.flat().begin());
  });
  ParamVector weights(workload.symmetry().layout());
  std::vector<Measurement> measured;
  for (int done = 0;;) {
    if (comm.is_root()) weights = robot->weights;
    comm.broadcast(weights.flat());
    for (const NamedValue& tested : test_together(workload, weights, comm)) {
      measured.push_back({.instrument = "finetune",
                          .subject = subject,
                          .split = "test",
                          .metric = tested.name,
                          .at = static_cast<double>(done),
                          .value = tested.value});
    }
    if (done == steps) return measured;
    const int further = std::min(every, steps - done);
    comm.together([&] {
      if (comm.is_root()) robot->train(further, [&] { return comm.stop_requested(); });
    });
    done += further;
  }
}

}  // namespace fleet
