#include "metaworld/rollout.hpp"

#include "base/error.hpp"

namespace fleet::metaworld {

EpisodeResult roll_out(Environment& environment, const Policy& policy,
                       const std::function<void(Environment& environment)>& watch) {
  EpisodeResult result;
  while (result.steps < kEpisodeSteps && !result.success && !result.diverged) {
    const StepResult step = environment.step(policy(environment.scene().task(), environment.observation()));
    result = {.success = step.success, .diverged = step.diverged, .steps = result.steps + 1};
    if (watch) watch(environment);
  }
  return result;
}

Environment& Workshop::environment(int task) {
  std::unique_ptr<Place>& place = places_[task];
  if (!place) place = std::make_unique<Place>(task_table()[static_cast<std::size_t>(task)], assets_, detail_);
  return place->environment;
}

std::vector<EpisodeResult> evaluate(std::span<const Job> jobs, const Policy& policy, Workshop& workshop,
                                    const Comm& comm) {
  constexpr std::size_t kRow = 4;  // job, success, diverged, steps
  std::vector<double> mine;
  comm.together([&] {
    for (std::size_t i = static_cast<std::size_t>(comm.rank()); i < jobs.size();
         i += static_cast<std::size_t>(comm.size())) {
      if (comm.stop_requested()) return;
      Environment& environment = workshop.environment(jobs[i].task);
      environment.reset(jobs[i].variation);
      const EpisodeResult result = roll_out(environment, policy);
      for (const double value : {static_cast<double>(i), result.success ? 1.0 : 0.0, result.diverged ? 1.0 : 0.0,
                                 static_cast<double>(result.steps)}) {
        mine.push_back(value);
      }
    }
  });
  std::vector<EpisodeResult> results(jobs.size());
  const std::vector<double> all = comm.all_gather(mine);
  for (std::size_t at = 0; at < all.size(); at += kRow) {
    results[static_cast<std::size_t>(all[at])] = {
        .success = all[at + 1] != 0, .diverged = all[at + 2] != 0, .steps = static_cast<int>(all[at + 3])};
  }
  return results;
}

}  // namespace fleet::metaworld
