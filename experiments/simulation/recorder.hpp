// Records demonstrations: the expert at work while its hand is disturbed, so that the data show how to recover.
//
// DART (Laskey et al., "DART: Noise Injection for Robust Imitation Learning", CoRL 2017): noise is added to the action
// that is carried out; the action that is recorded is the one the expert wanted.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "simulation/demonstrations.hpp"
#include "simulation/rollout.hpp"

namespace fleet::simulation {

struct RecordingOptions {
  int episodes = 50;  ///< of each task
  double noise = 0;   ///< largest deviation of the noise, in units of action; an episode's own is uniform below it.
                      ///< Where it is not 0 there are pushes of up to 1 besides
  std::uint64_t seed = 0;
  int attempts = 20;  ///< a failure is discarded and tried anew; Error after so many
};

/// Successful episodes of each task (of a world without success: all), in the order of tasks, then episodes, at the
/// root; nothing elsewhere. Each is a function of (seed, task, number of the episode), whatever rank it is recorded on.
/// Every fourth is recorded without noise, and each failure lowers the noise of the next attempt. Collective; Error on
/// all ranks alike.
[[nodiscard]] std::vector<Demonstration> record_demonstrations(std::span<const int> tasks,
                                                               const RecordingOptions& options,
                                                               EnvironmentPool& environments, const Comm& comm);

struct PlayedOptions {
  std::int64_t steps = 50'000;  ///< at least, in whole episodes
  double noise = 0;             ///< largest deviation of what is added to actions; an episode's own is uniform below it
  std::uint64_t seed = 0;
};

/// Episodes of one task as they come, under policies that take turns, at the root; nothing elsewhere. What is recorded
/// is what was done, noise and all, as in D4RL's data. Each is a function of (seed, task, number of the episode).
/// Collective; Error on all ranks alike.
[[nodiscard]] std::vector<Demonstration> record_play(int task, std::span<const Policy> policies,
                                                     const PlayedOptions& options, EnvironmentPool& environments,
                                                     const Comm& comm);

}  // namespace fleet::simulation
