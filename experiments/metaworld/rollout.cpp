#include "metaworld/rollout.hpp"

#include "base/error.hpp"

namespace fleet::metaworld {

EpisodeResult roll_out(Environment& environment, const Policy& policy,
                       const std::function<void(Environment& environment)>& watch, int steps) {
  EpisodeResult result;
  policy.begin(environment.scene().task());
  while (result.steps < steps && !result.success && !result.diverged) {
    const StepResult step = environment.step(policy(environment.scene().task(), environment.observation()));
    result = {.success = step.success, .diverged = step.diverged, .steps = result.steps + 1};
    if (watch) watch(environment);
  }
  return result;
}

Environment& EnvironmentPool::environment(int task) {
  std::unique_ptr<Place>& place = places_[task];
  if (!place) place = std::make_unique<Place>(task_of(task), assets_, detail_);
  return place->environment;
}

void EnvironmentPool::prepare(std::span<const int> tasks) {
  for (const int task : tasks) (void)environment(task);
}

EpisodeResult Trials::run(std::size_t job, const Policy& policy, int steps) {
  Environment& environment = environments_->environment(jobs_[job].task);
  if (starts_[job]) {
    environment.reset(*starts_[job]);
  } else {
    environment.reset(jobs_[job].variation);
    starts_[job] = environment.start();
  }
  return roll_out(environment, policy, {}, steps);
}

std::vector<EpisodeResult> evaluate(Trials& trials, const Policy& policy, int steps, const Comm& comm) {
  constexpr std::size_t kRow = 4;  // job, success, diverged, steps
  std::vector<double> mine;
  comm.together([&] {
    for (auto i = static_cast<std::size_t>(comm.rank()); i < trials.size();
         i += static_cast<std::size_t>(comm.size())) {
      if (comm.stop_requested()) return;
      const EpisodeResult result = trials.run(i, policy, steps);
      mine.insert(mine.end(), {static_cast<double>(i), result.success ? 1.0 : 0.0, result.diverged ? 1.0 : 0.0,
                               static_cast<double>(result.steps)});
    }
  });
  std::vector<EpisodeResult> results(trials.size());
  const std::vector<double> all = comm.all_gather(mine);
  for (std::size_t at = 0; at < all.size(); at += kRow) {
    results[static_cast<std::size_t>(all[at])] = {
        .success = all[at + 1] != 0, .diverged = all[at + 2] != 0, .steps = static_cast<int>(all[at + 3])};
  }
  return results;
}

}  // namespace fleet::metaworld
