// Imitation of optimal controllers by a fleet of linear policies (Appendix G): the workload behind "lqg".
#pragma once

#include <memory>

#include "lqg/options.hpp"
#include "train/workload.hpp"

namespace fleet {

/// Robots that imitate the optimal policies of their tasks, each on its own trajectories. An epoch is one full-batch
/// gradient step (a static policy is solved for at once); a sample is a trajectory, a label its task.
///
/// Metrics, the least of each being the best: "cost_ratio", expected cost over the horizon relative to the task's
/// optimal policy, mean over tasks; "stationary_ratio", the same over an infinite horizon, +inf if any task's loop is
/// unstable; "cost" and "optimal_cost"; "zero_ratio", the cost_ratio of doing nothing; and "cost_ratio.h" on task h
/// alone where there are several.
[[nodiscard]] std::unique_ptr<Workload> make_lqg_workload(const LqgOptions& options);

}  // namespace fleet
