// What a fleet learns: the seam between the round loop and the worlds.
//
// A Workload is one cell's problem: its network's symmetry, its robots and their data, how to judge weights.
// A Robot holds live weights and trains them on data that nobody else sees.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "merge/merger.hpp"
#include "model/optimizer.hpp"

namespace fleet {

class Robot : public LocalData {
 public:
  /// Live weights: training changes them, the round loop overwrites them with the consensus.
  [[nodiscard]] virtual ParamVector& weights() = 0;
  [[nodiscard]] virtual Optimizer& optimizer() = 0;
  /// Size of the training shard; a robot without data neither trains nor takes part in merges.
  [[nodiscard]] virtual std::int64_t samples() const = 0;
  /// Told before any training how many steps it will come to in all, of which a learning rate's schedule may make use.
  virtual void expect(std::int64_t /*total_steps*/) {}
  /// Goes on training for `steps` steps and returns their mean loss. Error naming the robot when the loss is no longer
  /// finite. Asks `stop` once before every step and returns early when it says so: a robot that trains in two goes ends
  /// with the same bits as in one.
  virtual double train(std::int64_t steps, const std::function<bool()>& stop) = 0;

  /// Everything that decides how training goes on: weights, moments, place in the data. A robot made anew that loads it
  /// goes on with the same bits. By default both throw Error: cells of such a workload start over when interrupted.
  virtual void save(StateWriter& /*state*/) { throw Error("the robots of this workload cannot be saved"); }
  virtual void load(StateReader& /*state*/) { throw Error("the robots of this workload cannot be loaded"); }
};

/// A value that a test comes to, e.g. "accuracy".
struct NamedValue {
  std::string name;
  double value = 0.0;
};

/// What a policy needs beside its weights, by name.
using Companions = std::map<std::string, std::vector<float>>;

class Workload {
 public:
  virtual ~Workload() = default;

  [[nodiscard]] virtual const SymmetrySpec& symmetry() const = 0;
  /// The network as affine maps (MergeInput::maps).
  [[nodiscard]] virtual std::span<const AffineMap> maps() const = 0;
  /// Samples of each label in robot i's training shard: [robot][label].
  [[nodiscard]] virtual const std::vector<std::vector<std::int64_t>>& histograms() const = 0;

  /// Gradient steps in one local epoch of robot i; 0 without data.
  [[nodiscard]] virtual std::int64_t steps_per_epoch(int robot) const = 0;
  /// Robots may not outlive their workload.
  [[nodiscard]] virtual std::unique_ptr<Robot> make_robot(int robot) = 0;
  /// One robot with every robot's training data, for the reference line `joint`.
  [[nodiscard]] virtual std::unique_ptr<Robot> make_joint_robot() = 0;
  /// One robot whose training data are those that no robot trains on, to finetune a merged policy. Error, by default
  /// and where no data are held out.
  [[nodiscard]] virtual std::unique_ptr<Robot> make_finetune_robot();

  /// What a policy's inputs are prepared with, so that it can act outside of its sweep. Nothing by default.
  [[nodiscard]] virtual Companions companions() const { return {}; }

  /// The test set comes in a fixed number of parts, so that ranks can share it and still add up the same sums.
  [[nodiscard]] virtual int test_parts() const = 0;
  /// Names of the values test_scores() returns, e.g. "accuracy", "loss".
  [[nodiscard]] virtual std::vector<std::string> metrics() const = 0;
  /// One Score per metric of `weights` on one part of the test set.
  [[nodiscard]] virtual std::vector<Score> test_scores(const ParamVector& weights, int part) = 0;
  /// What the scores of all parts ([part][metric]) come to: by default every metric's mean over the samples.
  [[nodiscard]] virtual std::vector<NamedValue> summarize(std::span<const Score> scores) const;
};

}  // namespace fleet
