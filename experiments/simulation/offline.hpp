// A fleet of different bodies that learns offline, from recorded trajectories with rewards, by Decision Transformers:
// one body or several, each robot one of them.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "simulation/cloning.hpp"
#include "simulation/rollout.hpp"
#include "simulation/trajectories.hpp"
#include "sweep/world.hpp"
#include "torch/policy.hpp"
#include "torch/supervised.hpp"

namespace fleet::simulation {

/// Episodes of a body that are played side by side.
inline constexpr int kTogether = 10;

struct OfflineOptions {
  std::shared_ptr<const Suite> suite;
  std::vector<int> tasks;  ///< ids; robot i has the body of tasks[i % size]
  NetworkShape shape;
  double test = 0.1;  ///< share of each body's episodes that the loss is tested on
  int episodes = 20;  ///< of each body that returns are tested by
  int max_steps = 0;
  int epoch_steps = 1000;       ///< gradient steps of a local epoch
  double percentile = 95;       ///< of the data's returns: what policies are asked for
  std::vector<double> returns;  ///< asked for instead, of each body; empty: by the percentile
  PartitionOptions partition;
  TrainingOptions training;

  [[nodiscard]] std::size_t bodies() const { return tasks.size(); }
  [[nodiscard]] std::size_t body_of(int robot) const { return static_cast<std::size_t>(robot) % tasks.size(); }
};

/// Reads "data.tasks", "data.test", "data.window", "evaluate.episodes", "evaluate.max_steps", "evaluate.percentile",
/// "evaluate.returns", "train.epoch_steps", and what partitions and training read.
[[nodiscard]] OfflineOptions read_offline_options(SettingsReader& settings, std::shared_ptr<const Suite> suite);

/// What policies must know beside their weights.
struct Conditions {
  std::vector<ObservationScaling> scalings;  ///< per body
  std::vector<double> returns;               ///< per body, asked for

  [[nodiscard]] Companions companions() const;
  /// As they were saved, of bodies of these sizes. Error unless they are what companions() gives.
  [[nodiscard]] static Conditions saved(const Companions& companions, std::span<const Sizes> sizes);
};

/// A Decision Transformer that acts, with one set of weights after another: it is asked for a return, and for what is
/// left of it after each reward.
class DecisionPolicy {
 public:
  DecisionPolicy(const OfflineOptions& options, Conditions conditions, std::shared_ptr<const Network> network);
  /// Acts by these weights from now on; they are not copied and must outlive that.
  void use(const ParamVector& weights) { runner_->use(weights); }
  /// Refers to this object.
  [[nodiscard]] Policy policy();
  /// Episodes of one task side by side, in environments that have just been reset: `steps` at most. As the same
  /// episodes by themselves, but for rounding.
  [[nodiscard]] std::vector<EpisodeResult> roll_out(std::span<Environment* const> environments, int steps);

 private:
  struct Lane {
    double to_go = 0.0;
    std::vector<float> last;  ///< what was done last
  };

  void begin(int task, std::size_t lanes);
  /// Looks at the lanes' environments, and decides what each lane does: Lane::last.
  void decide(std::span<Environment* const> environments);

  std::shared_ptr<const Suite> suite_;
  std::vector<int> tasks_;
  Conditions conditions_;
  Sizes total_;
  std::size_t features_;
  std::unique_ptr<PolicyRunner> runner_;
  std::size_t body_ = 0;  // of the episodes
  Sizes begin_;           // of the body's state and action among all bodies'
  int step_ = 0;
  std::vector<Lane> lanes_;
  std::vector<float> state_;  // in single precision
  std::vector<float> inputs_;
  std::vector<float> outputs_;
};

/// Writes what the network sees of a step, as NetworkShape::Input::kTrajectory says, to `into`, all but the state: the
/// place of that is returned.
std::span<float> describe_step(std::size_t bodies, std::size_t body, const Sizes& begin, const Sizes& total,
                               float to_go, std::span<const float> last_action, std::int32_t step,
                               std::span<float> into);

/// Trajectories in memory that outlives the workload.
struct TrajectoryView {
  const Trajectories* index = nullptr;
  TrajectoryNumbers numbers;
};

/// Metrics: "return", the mean over episodes; "score", the same from 0 (a random policy) to 100 (an expert), where the
/// suite knows both; "length" in steps; "diverged"; "loss", squared error of actions in episodes that no robot has
/// seen; and the first, second and last for each body, "return_hopper". A robot's own policy is tested in its own body
/// alone. A part of the test is some episodes of one body, side by side, with their share of the windows; bodies take
/// turns. Robots try policies (LocalData::trials) in their own bodies, by score where the suite knows it, else by
/// return. `environments` outlive it.
[[nodiscard]] std::unique_ptr<Workload> make_offline_workload(const OfflineOptions& options, const TrajectoryView& data,
                                                              std::shared_ptr<const Network> network,
                                                              EnvironmentPool& environments,
                                                              std::shared_ptr<const ParamVector> start);

/// The workload of trajectories in a suite of bodies.
[[nodiscard]] std::unique_ptr<World> make_offline_world(const SuiteEntry& entry);

/// What a sweep of it calls the workload of a suite: "locomotion-offline".
[[nodiscard]] std::string offline_name(const SuiteEntry& entry);

}  // namespace fleet::simulation
