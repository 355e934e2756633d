#include "simulation/rollout.hpp"

#include <algorithm>
#include <array>

namespace fleet::simulation {
namespace {

// A result on its way to other ranks: its job, then what it is made of.
constexpr std::size_t kRow = 7;

std::array<double, kRow> pack(std::size_t job, const EpisodeResult& result) {
  const auto flag = [](bool value) { return value ? 1.0 : 0.0; };
  return {static_cast<double>(job), flag(result.success), flag(result.terminated),          flag(result.diverged),
          flag(result.lost),        result.reward,        static_cast<double>(result.steps)};
}

EpisodeResult unpack(std::span<const double> row) {
  return {.success = row[1] != 0,
          .terminated = row[2] != 0,
          .diverged = row[3] != 0,
          .lost = row[4] != 0,
          .steps = static_cast<int>(row[6]),
          .reward = row[5]};
}

}  // namespace

Policy expert_policy() {
  return [](Environment& environment, std::span<float> action) { return environment.ask_expert(action); };
}

void EpisodeResult::add(const StepResult& step) {
  success = step.success;
  terminated = step.terminated;
  diverged = step.diverged;
  reward += step.reward;
  ++steps;
}

EpisodeResult roll_out(Environment& environment, std::size_t action_size, const Policy& policy, const Watch& watch,
                       int steps) {
  EpisodeResult result;
  std::vector<float> action(action_size);
  policy.begin(environment);
  while (result.steps < steps && !result.over()) {
    result.lost = !policy(environment, action);
    if (result.lost) break;
    const StepResult step = environment.step(action);
    result.add(step);
    policy.hear(step);
    if (watch) watch(environment, step);
  }
  return result;
}

Environment& EnvironmentPool::environment(int task) {
  return *side_by_side(task, 1).front();
}

std::vector<Environment*> EnvironmentPool::side_by_side(int task, std::size_t count) {
  std::vector<std::shared_ptr<Environment>>& known = environments_[task];
  while (known.size() < count) known.push_back(suite_->make_environment(task, detail_));
  std::vector<Environment*> some;
  for (std::size_t i = 0; i < count; ++i) some.push_back(known[i].get());
  return some;
}

void EnvironmentPool::prepare(std::span<const int> tasks) {
  for (const int task : tasks) (void)environment(task);
}

EpisodeResult Trials::run(std::size_t job, const Policy& policy, int steps) {
  const Suite& suite = environments_->suite();
  Environment& environment = environments_->environment(jobs_[job].task);
  if (starts_[job]) {
    environment.restore(*starts_[job]);
  } else {
    environment.reset(jobs_[job].variation);
    starts_[job] = environment.start();
  }
  const int task = jobs_[job].task;
  return roll_out(environment, suite.sizes(task).action, policy, {}, std::min(steps, suite.task(task).steps));
}

std::vector<EpisodeResult> evaluate(Trials& trials, const Policy& policy, int steps, const Comm& comm) {
  std::vector<double> mine;
  comm.together([&] {
    for (auto i = static_cast<std::size_t>(comm.rank()); i < trials.size();
         i += static_cast<std::size_t>(comm.size())) {
      if (comm.stop_requested()) return;
      const std::array<double, kRow> row = pack(i, trials.run(i, policy, steps));
      mine.insert(mine.end(), row.begin(), row.end());
    }
  });
  std::vector<EpisodeResult> results(trials.size());
  const std::vector<double> all = comm.all_gather(mine);
  for (std::size_t at = 0; at < all.size(); at += kRow) {
    results[static_cast<std::size_t>(all[at])] = unpack(std::span(all).subspan(at, kRow));
  }
  return results;
}

}  // namespace fleet::simulation
