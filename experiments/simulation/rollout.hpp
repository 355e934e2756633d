// Episodes under a policy: one, or many spread over ranks.
#pragma once

#include <concepts>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "comm/comm.hpp"
#include "simulation/suite.hpp"

namespace fleet::simulation {

/// What acts in episodes.
class Policy {
 public:
  /// Writes what to do now. False if it does not know, which loses the episode.
  using Act = std::function<bool(Environment& environment, std::span<float> action)>;
  using Begin = std::function<void(const Environment& environment)>;
  using Hear = std::function<void(const StepResult& step)>;

  /// Any function that acts is a policy; one that remembers is told by `begin` when an episode begins, and by `hear`
  /// what came of what it did.
  template <std::convertible_to<Act> Function>
  Policy(Function act, Begin begin = {}, Hear hear = {})  // NOLINT(google-explicit-constructor)
      : act_(std::move(act)), begin_(std::move(begin)), hear_(std::move(hear)) {}

  void begin(const Environment& environment) const {
    if (begin_) begin_(environment);
  }
  void hear(const StepResult& step) const {
    if (hear_) hear_(step);
  }
  bool operator()(Environment& environment, std::span<float> action) const { return act_(environment, action); }

 private:
  Act act_;
  Begin begin_;
  Hear hear_;
};

/// The world's own expert.
[[nodiscard]] Policy expert_policy();

struct EpisodeResult {
  bool success = false;
  bool terminated = false;  ///< ended by something else than success, see StepResult
  bool diverged = false;
  bool lost = false;  ///< the policy did not know what to do
  int steps = 0;      ///< taken until the end
  double reward = 0;  ///< sum over the steps

  [[nodiscard]] bool over() const { return success || terminated || diverged || lost; }
  void add(const StepResult& step);
};

/// Is called after every step.
using Watch = std::function<void(Environment& environment, const StepResult& step)>;

/// Runs the environment, just reset, until the episode is over or the last step. `action_size` as Facts have it.
EpisodeResult roll_out(Environment& environment, std::size_t action_size, const Policy& policy, const Watch& watch,
                       int steps);

/// Environments of the tasks asked for so far.
class EnvironmentPool {
 public:
  /// The suite must outlive it.
  explicit EnvironmentPool(const Suite& suite, Suite::Detail detail = Suite::Detail::kPhysics)
      : suite_(&suite), detail_(detail) {}
  [[nodiscard]] Environment& environment(int task);
  /// So many, for episodes side by side. They are the same from call to call.
  [[nodiscard]] std::vector<Environment*> side_by_side(int task, std::size_t count);
  /// Makes them now, so that a file that is missing or wrong is found before the work. Error naming it.
  void prepare(std::span<const int> tasks);
  [[nodiscard]] const Suite& suite() const { return *suite_; }

 private:
  const Suite* suite_;
  Suite::Detail detail_;
  std::map<int, std::vector<std::shared_ptr<Environment>>> environments_;
};

/// An episode to be run: a task and its variation.
struct EpisodeSpec {
  int task = 0;
  Variation variation;
};

/// Episodes that are run again and again, under one policy after another: reset once, then begun from a copy.
class Trials {
 public:
  Trials(std::vector<EpisodeSpec> jobs, EnvironmentPool& environments)
      : jobs_(std::move(jobs)), starts_(jobs_.size()), environments_(&environments) {}
  [[nodiscard]] std::size_t size() const { return jobs_.size(); }
  /// `steps` at most, and no more than its task has.
  [[nodiscard]] EpisodeResult run(std::size_t job, const Policy& policy, int steps);

 private:
  std::vector<EpisodeSpec> jobs_;
  std::vector<std::optional<Start>> starts_;
  EnvironmentPool* environments_;
};

/// Runs every trial, each rank every size-th, so that all have their share of slow tasks. Results in the order of jobs,
/// on every rank. Collective; Error on all ranks alike.
[[nodiscard]] std::vector<EpisodeResult> evaluate(Trials& trials, const Policy& policy, int steps, const Comm& comm);

}  // namespace fleet::simulation
