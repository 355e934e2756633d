// A fleet that clones the experts of a simulated world: what one cell asks for, and its Workload.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "simulation/cloning.hpp"
#include "simulation/rollout.hpp"
#include "torch/supervised.hpp"

namespace fleet::simulation {

struct CloningOptions {
  std::shared_ptr<const Suite> suite;
  std::vector<int> tasks;   ///< ids
  std::vector<int> unseen;  ///< of tasks that success is tested by besides, though there are no demonstrations of them
  bool one_hot = false;     ///< which task it is, appended to observations
  NetworkShape shape;       ///< one that the data can take, see shapes()
  double test = 0.1;        ///< share of each task's demonstrations that imitation is tested on
  int episodes = 20;        ///< of each task that success is tested by
  int max_steps = 0;
  PartitionOptions partition;
  TrainingOptions training;

  /// Tasks that observations are marked by.
  [[nodiscard]] std::vector<int> marked() const { return one_hot ? tasks : std::vector<int>{}; }
  /// Forms that observations can take: each by itself, as a cloud of points if it is one, or `window` of them at a
  /// time.
  [[nodiscard]] std::vector<NetworkShape> shapes(int window) const;
};

/// Suite::sight() as numbers that go with a saved policy, which `kSight` names; empty where policies do not see.
inline constexpr const char* kSight = "sight";
[[nodiscard]] std::vector<float> sight_mark(const Suite& suite);

/// Reads "data.tasks", "data.one_hot", "data.test", "data.window", "evaluate.episodes", "evaluate.max_steps" and
/// "evaluate.unseen", and what partitions and training read; "model.kind" decides the shape.
[[nodiscard]] CloningOptions read_cloning_options(SettingsReader& settings, std::shared_ptr<const Suite> suite);

/// Demonstrations in memory that outlives the workload.
struct CloningView {
  const CloningRows* rows = nullptr;  ///< all but the numbers
  std::span<const float> observations;
  std::span<const float> actions;
};

/// The test's episodes, tasks taking turns; decided by tasks, their number and the seed.
[[nodiscard]] std::vector<EpisodeSpec> draw_test_episodes(const CloningOptions& options);

/// Robots draw from the tasks' demonstrations as CloningOptions::partition says. Metrics: "success", the share of
/// episodes that end with the task done (of worlds judged by reward: "return", its mean); "diverged", the share in
/// which the simulator met something not finite, which counts as failure; "loss", squared error of actions in
/// demonstrations that no robot has seen; and with unseen tasks "success_unseen". Of success also its 10th percentile
/// over tasks, "success_task_p10", and every task's own, "success_<task>". A sample, in shards and histograms, is what
/// CloningOptions::shape says: an observation, or a window of them.
///
/// A part of the test is one episode of `trials`, which are of draw_test_episodes() and outlive the workload, with its
/// share of the demonstrations. All methods face the same. Robots try policies (LocalData::trials) in episodes of their
/// own, in `environments`, which outlive it, too.
[[nodiscard]] std::unique_ptr<Workload> make_cloning_workload(const CloningOptions& options, const CloningView& data,
                                                              std::shared_ptr<const Network> network, Trials& trials,
                                                              EnvironmentPool& environments);

}  // namespace fleet::simulation
