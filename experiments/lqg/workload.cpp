#include "lqg/workload.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <ranges>

#include "base/error.hpp"
#include "lqg/expected_cost.hpp"

namespace fleet {
namespace {

using Eigen::MatrixXd;

/// What policies are compared with on one task.
struct Task {
  QuadraticCost cost;
  LinearPolicy expert;
  double optimal_cost = 0.0;        ///< of the expert, over the horizon
  double optimal_stationary = 0.0;  ///< of the expert, in the long run
  double zero_ratio = 0.0;
};

LinearPolicy expert_for(const LqgOptions& options, const LinearSystem& system, const QuadraticCost& cost) {
  return options.policy == PolicyKind::kDynamic ? optimal_policy(system, cost) : optimal_static_policy(system, cost);
}

/// The system as policies see it: observations of unit second moment under the experts, so that one step size and one
/// misfit suit all of them.
LinearSystem observed_system(const LqgOptions& options) {
  if (!options.whiten) return options.system;
  const Eigen::Index p = options.system.observations();
  MatrixXd moment = MatrixXd::Zero(p, p);
  for (const QuadraticCost& cost : options.tasks) {
    moment += observation_moment(options.system, expert_for(options, options.system, cost), options.horizon) /
              static_cast<double>(options.tasks.size());
  }
  return seen_through(inverse_square_root(moment), options.system);
}

/// The task of each of robot's trajectories.
std::vector<std::size_t> draw_tasks(const LqgOptions& options, int robot) {
  const std::size_t tasks = options.tasks.size();
  const auto count = static_cast<std::size_t>(options.trajectories);
  if (options.partition == LqgOptions::Partition::kPerTask)
    return std::vector(count, static_cast<std::size_t>(robot) % tasks);
  RandomStream stream(options.seed, Purpose::kPartition, static_cast<std::uint64_t>(robot));
  std::vector<double> shares(tasks, 1.0 / static_cast<double>(tasks));
  if (options.partition == LqgOptions::Partition::kMixture) shares = stream.dirichlet(options.alpha, tasks);
  std::vector<std::size_t> drawn(count);
  for (std::size_t& task : drawn) {
    double rest = stream.uniform();
    while (task + 1 < tasks && (rest -= shares[task]) >= 0.0) ++task;
  }
  return drawn;
}

/// A = 0, so that the state is stable; B and C Gaussian, scaled so that state and action are of order one.
LinearPolicy first_policy(const LqgOptions& options, const LinearSystem& system, int robot) {
  if (options.policy == PolicyKind::kStatic) {
    return LinearPolicy::still(MatrixXd::Zero(system.inputs(), system.observations()));
  }
  const auto origin = static_cast<std::uint64_t>(options.common_initialization ? 0 : robot);
  RandomStream stream(options.seed, Purpose::kInitialization, origin);
  const Eigen::Index n = system.states();
  LinearPolicy policy{MatrixXd::Zero(n, n), MatrixXd(n, system.observations()), MatrixXd(system.inputs(), n)};
  // Every k-th robot is flipped, where 1 / k is the share.
  const bool flip = std::floor((robot + 1) * options.flipped) > std::floor(robot * options.flipped);
  const double sign = flip ? -1.0 : 1.0;
  const double scale = 1.0 / std::sqrt(static_cast<double>(system.observations()));
  for (double& value : policy.b.reshaped()) value = sign * scale * stream.normal();
  for (double& value : policy.c.reshaped()) value = sign * stream.normal();
  return policy;
}

/// Trains in double precision; weights are rounded to single where they meet the fleet.
class LqgRobot final : public Robot {
 public:
  LqgRobot(const LqgOptions& options, const SymmetrySpec& symmetry, LinearPolicy first, int index, Demonstrations data)
      : options_(options),
        index_(index),
        data_(std::move(data)),
        loss_(data_),
        first_(std::move(first)),
        layout_(symmetry.layout()) {}

  void initialize(ParamVector& weights) const override { to_weights(options_.policy, first_, weights); }
  std::int64_t samples() const override { return data_.trajectories; }

  double train(ParamVector& weights, Optimizer& /*optimizer*/, std::int64_t steps,
               const std::function<bool()>& stop) override {
    LinearPolicy policy;
    double loss = 0.0;
    if (options_.policy == PolicyKind::kStatic) {
      policy = LinearPolicy::still(fit_static_gain(data_));
      loss = loss_.loss(policy);
    } else {
      policy = present_policy(weights);
      loss = loss_.descend(options_.descent, steps, stop, policy);
    }
    require(std::isfinite(loss), "robot ", index_, ": the loss became ", loss);
    to_weights(options_.policy, policy, weights);
    unrounded_ = std::move(policy);
    return loss;
  }

  void save(StateWriter& state) override {
    state.write(unrounded_.has_value());
    if (!unrounded_) return;
    for (const MatrixXd* matrix : {&unrounded_->a, &unrounded_->b, &unrounded_->c}) {
      state.write_all(std::span(matrix->data(), static_cast<std::size_t>(matrix->size())));
    }
  }
  void load(StateReader& state) override {
    unrounded_.reset();
    if (!state.read<bool>()) return;
    LinearPolicy& policy = unrounded_.emplace(first_);
    for (MatrixXd* matrix : {&policy.a, &policy.b, &policy.c}) {
      state.read_into(std::span(matrix->data(), static_cast<std::size_t>(matrix->size())));
    }
  }

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    std::vector<int> drawn(static_cast<std::size_t>(batch));
    for (int& k : drawn) k = static_cast<int>(stream.below(static_cast<std::uint64_t>(data_.trajectories)));
    const Demonstrations chosen = data_.chosen(drawn);
    LinearPolicy slope;
    const double loss = ImitationLoss(chosen).loss_gradient(to_policy(options_.policy, at), slope);
    to_weights(options_.policy, slope, gradient);
    return loss;
  }
  Score held_out_score(const ParamVector& at) override {
    const Score loss = held_out_loss(at);
    return {-loss.sum, loss.samples};
  }
  Score held_out_loss(const ParamVector& at) override {
    const double samples = data_.trajectories;
    return {samples * loss_.loss(to_policy(options_.policy, at)), samples};
  }

 private:
  /// What training has come to, in double precision, if `weights` are its image: unless somebody has set them since.
  LinearPolicy present_policy(const ParamVector& weights) const {
    if (unrounded_) {
      ParamVector rounded(layout_);
      to_weights(options_.policy, *unrounded_, rounded);
      if (std::ranges::equal(rounded.flat(), weights.flat())) return *unrounded_;
    }
    return to_policy(options_.policy, weights);
  }

  const LqgOptions& options_;
  int index_;
  Demonstrations data_;
  ImitationLoss loss_;
  LinearPolicy first_;
  std::shared_ptr<const ParamLayout> layout_;
  std::optional<LinearPolicy> unrounded_;  // what training has come to last
};

class LqgWorkload final : public Workload {
 public:
  explicit LqgWorkload(const LqgOptions& options)
      : options_(options), simulator_(observed_system(options)), symmetry_(policy_symmetry(options.policy, system())) {
    for (const QuadraticCost& cost : options_.tasks) {
      Task task{.cost = cost, .expert = expert_for(options_, system(), cost)};
      task.optimal_cost = expected_cost(system(), cost, task.expert, options_.horizon);
      task.optimal_stationary = stationary_cost(system(), cost, task.expert);
      task.zero_ratio =
          expected_cost(system(), cost, LinearPolicy::zero(system()), options_.horizon) / task.optimal_cost;
      tasks_.push_back(std::move(task));
    }
  }

  const SymmetrySpec& symmetry() const override { return symmetry_; }
  std::span<const AffineMap> maps() const override { return {}; }
  /// Plain gradient descent, which has no moments to carry from merge to merge.
  OptimizerOptions optimizer() const override { return {.kind = OptimizerOptions::Kind::kSgd}; }
  std::vector<std::int64_t> histogram(int robot) const override {
    std::vector<std::int64_t> counts(tasks_.size());
    for (const std::size_t task : draw_tasks(options_, robot)) ++counts[task];
    return counts;
  }
  std::int64_t steps_per_epoch(int /*robot*/) const override { return 1; }

  std::unique_ptr<Robot> make_robot(int robot) override {
    return robot_with(robot, demonstrations(robot, draw_tasks(options_, robot)));
  }
  std::unique_ptr<Robot> make_joint_robot() override {
    std::vector<Demonstrations> sets;
    for (int i = 0; i < options_.robots; ++i) sets.push_back(demonstrations(i, draw_tasks(options_, i)));
    return robot_with(0, pooled(sets));
  }
  /// With new trajectories, of every task as many as a robot has in all.
  std::unique_ptr<Robot> make_finetune_robot() override {
    std::vector<std::size_t> tasks;
    for (std::size_t h = 0; h < tasks_.size(); ++h)
      tasks.insert(tasks.end(), static_cast<std::size_t>(options_.trajectories), h);
    return robot_with(options_.robots, demonstrations(options_.robots, tasks));
  }

  int test_parts() const override { return static_cast<int>(tasks_.size()); }
  std::vector<std::string> metrics() const override {
    std::vector<std::string> names{"cost_ratio", "stationary_ratio", "cost", "optimal_cost", "zero_ratio"};
    if (tasks_.size() > 1) {
      for (std::size_t h = 0; h < tasks_.size(); ++h) names.push_back(cat("cost_ratio.", h));
    }
    return names;
  }
  std::vector<Score> test_scores(const ParamVector& weights, int part) override {
    const Task& task = tasks_[static_cast<std::size_t>(part)];
    const LinearPolicy policy = to_policy(options_.policy, weights);
    const double cost = expected_cost(system(), task.cost, policy, options_.horizon);
    const double ratio = cost / task.optimal_cost;
    const double stationary = stationary_cost(system(), task.cost, policy) / task.optimal_stationary;
    std::vector<Score> scores{
        {ratio, 1.0}, {stationary, 1.0}, {cost, 1.0}, {task.optimal_cost, 1.0}, {task.zero_ratio, 1.0}};
    if (tasks_.size() > 1) {
      scores.resize(scores.size() + tasks_.size());  // of the other tasks this part knows nothing
      scores[scores.size() - tasks_.size() + static_cast<std::size_t>(part)] = {ratio, 1.0};
    }
    return scores;
  }

 private:
  [[nodiscard]] const LinearSystem& system() const { return simulator_.system(); }

  /// One trajectory for each of `tasks`.
  [[nodiscard]] Demonstrations demonstrations(int robot, std::span<const std::size_t> tasks) const {
    std::vector<const LinearPolicy*> experts;
    std::vector<RandomStream> streams;
    for (const std::size_t task : tasks) {
      streams.emplace_back(options_.seed, Purpose::kDemonstration, static_cast<std::uint64_t>(robot), experts.size());
      experts.push_back(&tasks_[task].expert);
    }
    return simulator_.demonstrate(experts, options_.horizon, streams);
  }

  [[nodiscard]] std::unique_ptr<Robot> robot_with(int index, Demonstrations data) const {
    return std::make_unique<LqgRobot>(options_, symmetry_, first_policy(options_, system(), index), index,
                                      std::move(data));
  }

  LqgOptions options_;
  Simulator simulator_;
  SymmetrySpec symmetry_;
  std::vector<Task> tasks_;
};

}  // namespace

std::unique_ptr<Workload> make_lqg_workload(const LqgOptions& options) {
  return std::make_unique<LqgWorkload>(options);
}

}  // namespace fleet
