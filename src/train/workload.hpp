// What a fleet learns: the seam between the round loop and the worlds.
//
// A Workload is one cell's problem: its network's symmetry, its robots and their data, how to judge weights.
// A Robot holds data that nobody else sees, and trains the weights that it is handed.
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

/// A robot's data, and its place in them. Its weights, and the moments of its optimiser, are handed to it when it
/// trains and belong to the fleet: of the many robots that stand at the consensus none needs a copy of it.
class Robot : public LocalData {
 public:
  /// Writes the weights with which it begins, the same at every call.
  virtual void initialize(ParamVector& weights) const = 0;
  /// Size of the training shard; a robot without data neither trains nor takes part in merges.
  [[nodiscard]] virtual std::int64_t samples() const = 0;
  /// Told before any training how many steps it will come to in all, of which a learning rate's schedule may make use.
  virtual void expect(std::int64_t /*total_steps*/) {}
  /// Goes on training for `steps` steps and returns their mean loss. Error naming the robot when the loss is no longer
  /// finite. Asks `stop` once before every step and returns early when it says so: a robot that trains in two goes ends
  /// with the same bits as in one.
  virtual double train(ParamVector& weights, Optimizer& optimizer, std::int64_t steps,
                       const std::function<bool()>& stop) = 0;
  /// From now on training adds `term` to the loss's gradient; nullptr: nothing. It outlives that training. By default
  /// any term is an Error.
  virtual void follow(const GradientTerm* term) {
    require(term == nullptr, "the robots of this workload follow the gradient of their own loss alone");
  }
  /// It will not train for a while: lets go of memory that it can fill again. Asked anything, it answers as before.
  virtual void rest() {}

  /// What beside weights and moments decides how training goes on: the place in the data. A robot made anew that loads
  /// it goes on with the same bits. By default both throw Error: cells of such a workload start over when interrupted.
  virtual void save(StateWriter& /*state*/) { throw Error("the robots of this workload cannot be saved"); }
  virtual void load(StateReader& /*state*/) { throw Error("the robots of this workload cannot be loaded"); }
};

/// A robot with weights and an optimiser of its own.
struct AwakeRobot {
  /// With its first weights.
  AwakeRobot(std::unique_ptr<Robot> robot_, const std::shared_ptr<const ParamLayout>& layout,
             const OptimizerOptions& options);

  double train(std::int64_t steps, const std::function<bool()>& stop) {
    return robot->train(weights, optimizer, steps, stop);
  }

  std::unique_ptr<Robot> robot;
  ParamVector weights;
  Optimizer optimizer;
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
  /// With which all of its robots train.
  [[nodiscard]] virtual OptimizerOptions optimizer() const = 0;
  /// Samples of each label in the training shard of `robot`.
  [[nodiscard]] virtual std::vector<std::int64_t> histogram(int robot) const = 0;

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
  /// Which of them a robot's own policy is tested on, ascending; by default all.
  [[nodiscard]] virtual std::vector<int> parts_of(int robot) const;
  /// Names of the values test_scores() returns, e.g. "accuracy", "loss".
  [[nodiscard]] virtual std::vector<std::string> metrics() const = 0;
  /// One Score per metric of `weights` on one part of the test set.
  [[nodiscard]] virtual std::vector<Score> test_scores(const ParamVector& weights, int part) = 0;
  /// What the scores of all parts ([part][metric]) come to: by default every metric's mean over the samples.
  [[nodiscard]] virtual std::vector<NamedValue> summarize(std::span<const Score> scores) const;
};

}  // namespace fleet
