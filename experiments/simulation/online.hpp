// A fleet that learns from episodes of its own in a simulated world: what one cell asks for, its Workload, and its
// world.
#pragma once

#include <memory>
#include <vector>

#include "simulation/network_policy.hpp"
#include "simulation/rollout.hpp"
#include "sweep/world.hpp"
#include "torch/online.hpp"

namespace fleet::simulation {

struct PlayOptions {
  std::shared_ptr<const Suite> suite;
  std::vector<int> tasks;  ///< ids; robot i has the i-th, and so on in turn
  bool chooses = false;    ///< Task::chooses of them
  NetworkShape shape;
  int robots = 5;
  double spread = 0;  ///< factors of each robot's body are e^u, u uniform in [-spread, spread]
  int episodes = 20;  ///< of each task that policies are tested by
  int max_steps = 0;
  TrainingOptions training;
  OnlineOptions online;
};

/// Reads "data.tasks", "fleet.robots", "fleet.spread", "evaluate.episodes", "evaluate.max_steps" and how robots learn.
[[nodiscard]] PlayOptions read_play_options(SettingsReader& settings, std::shared_ptr<const Suite> suite);

/// Episodes side by side, just begun, of `max_steps` steps at most, with actions of `act`.
[[nodiscard]] std::vector<Played> play_episodes(std::span<Environment* const> environments, std::size_t action_size,
                                                const ObservationEncoder& encoder, const Act& act, int max_steps);

/// The test's episodes, tasks taking turns; those of a task are played on the bodies of one robot after another.
[[nodiscard]] std::vector<EpisodeSpec> draw_play_tests(const PlayOptions& options);

/// Metrics, of a policy that tries nothing: "return", the mean sum of an episode's rewards; "diverged", the share of
/// episodes in which the simulator met something not finite. A part of the test is one episode. `environments` outlive
/// it.
[[nodiscard]] std::unique_ptr<Workload> make_play_workload(const PlayOptions& options,
                                                           std::shared_ptr<const Network> network,
                                                           EnvironmentPool& environments);

/// Of a world whose entry says that its policies learn online.
[[nodiscard]] std::unique_ptr<World> make_play_world(const SuiteEntry& entry);

}  // namespace fleet::simulation
