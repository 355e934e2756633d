// Episodes under a policy: one, or many spread over ranks.
#pragma once

#include <concepts>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "comm/comm.hpp"
#include "metaworld/environment.hpp"

namespace fleet::metaworld {

/// What acts in episodes.
class Policy {
 public:
  using Act = std::function<Action(const TaskSpec& task, const Observation& observation)>;

  /// Any function that acts is a policy; one that remembers is told by `begin` when an episode begins.
  template <std::convertible_to<Act> Function>
  Policy(Function act, std::function<void(const TaskSpec& task)> begin = {})  // NOLINT(google-explicit-constructor)
      : act_(std::move(act)), begin_(std::move(begin)) {}

  void begin(const TaskSpec& task) const {
    if (begin_) begin_(task);
  }
  [[nodiscard]] Action operator()(const TaskSpec& task, const Observation& observation) const {
    return act_(task, observation);
  }

 private:
  Act act_;
  std::function<void(const TaskSpec& task)> begin_;
};

struct EpisodeResult {
  bool success = false;
  bool diverged = false;
  int steps = 0;  ///< taken until the end
};

/// Runs the environment, just reset, until success, divergence or the last step. `watch` is called after every step.
EpisodeResult roll_out(Environment& environment, const Policy& policy,
                       const std::function<void(Environment& environment)>& watch = {}, int steps = kEpisodeSteps);

/// One environment for each task asked for so far.
class EnvironmentPool {
 public:
  explicit EnvironmentPool(std::filesystem::path assets, Scene::Detail detail = Scene::Detail::kPhysics)
      : assets_(std::move(assets)), detail_(detail) {}
  [[nodiscard]] Environment& environment(int task);
  /// Compiles their scenes now, so that one that is missing or wrong is found before the work. Error naming the file.
  void prepare(std::span<const int> tasks);
  [[nodiscard]] const std::filesystem::path& assets() const { return assets_; }

 private:
  struct Place {
    Place(const TaskSpec& task, const std::filesystem::path& assets, Scene::Detail detail)
        : scene(task, assets, detail), environment(scene) {}
    Scene scene;
    Environment environment;
  };
  std::filesystem::path assets_;
  Scene::Detail detail_;
  std::map<int, std::unique_ptr<Place>> places_;
};

/// An episode to be run: a task and its variation.
struct EpisodeSpec {
  int task = 0;
  Variation variation;
};

/// Episodes that are run again and again, under one policy after another: settled once, then begun from a copy.
class Trials {
 public:
  Trials(std::vector<EpisodeSpec> jobs, EnvironmentPool& environments)
      : jobs_(std::move(jobs)), starts_(jobs_.size()), environments_(&environments) {}
  [[nodiscard]] std::size_t size() const { return jobs_.size(); }
  [[nodiscard]] EpisodeResult run(std::size_t job, const Policy& policy, int steps);

 private:
  std::vector<EpisodeSpec> jobs_;
  std::vector<std::optional<Start>> starts_;
  EnvironmentPool* environments_;
};

/// Runs every trial, each rank every size-th, so that all have their share of slow tasks. Results in the order of jobs,
/// on every rank. Collective; Error on all ranks alike.
[[nodiscard]] std::vector<EpisodeResult> evaluate(Trials& trials, const Policy& policy, int steps, const Comm& comm);

}  // namespace fleet::metaworld
