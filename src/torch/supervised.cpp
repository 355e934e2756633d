#include "torch/supervised.hpp"

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "torch/classroom.hpp"
#include "torch/robot.hpp"
#include "train/shared_keys.hpp"

namespace fleet {
namespace {

class SupervisedWorkload final : public Workload {
 public:
  explicit SupervisedWorkload(SupervisedProblem problem) : problem_(std::move(problem)), classroom_(problem_) {
    problem_.test = samples_at(classroom_.plan.place, std::move(problem_.test));
    parts_ = std::move(problem_.groups.samples);
    if (!parts_.empty()) return;
    const auto size = static_cast<std::int32_t>(problem_.test->size());
    for (std::int32_t begin = 0; begin < size; begin += classroom_.plan.at_once) {
      std::vector<std::int32_t>& part = parts_.emplace_back(std::min(classroom_.plan.at_once, size - begin));
      std::iota(part.begin(), part.end(), begin);
    }
  }

  const SymmetrySpec& symmetry() const override { return classroom_.network->symmetry(); }
  std::span<const AffineMap> maps() const override { return classroom_.network->maps(); }
  OptimizerOptions optimizer() const override { return classroom_.options.optimizer; }
  std::vector<std::int64_t> histogram(int robot) const override { return problem_.histogram(robot); }

  std::int64_t steps_per_epoch(int robot) const override {
    const std::int64_t samples = problem_.shards.samples(robot).train;
    const std::int64_t batch = classroom_.options.batch_size;
    return (samples + batch - 1) / batch;
  }

  std::unique_ptr<Robot> make_robot(int robot) override {
    return std::make_unique<SupervisedRobot>(classroom_, robot, problem_.shards.samples(robot).train,
                                             [this, robot] { return problem_.shards.of(robot); });
  }

  std::unique_ptr<Robot> make_joint_robot() override { return make_pooled_robot(0, &Shard::train); }

  std::unique_ptr<Robot> make_finetune_robot() override {
    std::unique_ptr<Robot> robot = make_pooled_robot(problem_.shards.robots(), &Shard::held_out);
    require(robot->samples() > 0,
            "no robot holds anything back to finetune a merged policy on; data.held_out is too small");
    return robot;
  }

  int test_parts() const override { return static_cast<int>(parts_.size()); }
  std::vector<std::string> metrics() const override { return classroom_.objective->metrics(); }
  std::vector<Score> test_scores(const ParamVector& weights, int part) override {
    return score_samples(*classroom_.network, *classroom_.objective, weights, parts_[static_cast<std::size_t>(part)],
                         *problem_.test, classroom_.plan);
  }
  std::vector<NamedValue> summarize(std::span<const Score> scores) const override {
    std::vector<NamedValue> summary = Workload::summarize(scores);
    if (problem_.groups.name.empty()) return summary;
    std::vector<double> means;
    for (std::size_t i = 0; i < scores.size(); i += metrics().size()) {
      if (scores[i].samples > 0.0) means.push_back(scores[i].sum / scores[i].samples);
    }
    std::sort(means.begin(), means.end());
    const std::string name = cat(metrics().front(), "_", problem_.groups.name);
    const double total = std::accumulate(means.begin(), means.end(), 0.0);
    summary.push_back({name + "_mean", total / static_cast<double>(means.size())});
    summary.push_back({name + "_p10", means[means.size() / 10]});
    return summary;
  }

 private:
  /// Trains on one part of everybody's shards; draws its streams as robot `index`.
  std::unique_ptr<Robot> make_pooled_robot(int index, std::vector<std::int32_t> Shard::*part) {
    Shard pooled;
    for (int i = 0; i < problem_.shards.robots(); ++i) {
      const Shard shard = problem_.shards.of(i);
      pooled.train.insert(pooled.train.end(), (shard.*part).begin(), (shard.*part).end());
    }
    const std::int64_t samples = std::ssize(pooled.train);
    return std::make_unique<SupervisedRobot>(classroom_, index, samples, [shard = std::move(pooled)] { return shard; });
  }

  SupervisedProblem problem_;
  Classroom classroom_;
  std::vector<std::vector<std::int32_t>> parts_;  // of the test set
};

constexpr std::array<std::pair<std::string_view, OptimizerOptions::Kind>, 2> kOptimizers{
    {{"adam", OptimizerOptions::Kind::kAdam}, {"sgd", OptimizerOptions::Kind::kSgd}}};
constexpr std::array<std::pair<std::string_view, RateSchedule::Kind>, 2> kSchedules{
    {{"constant", RateSchedule::Kind::kConstant}, {"cosine", RateSchedule::Kind::kCosine}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kInitializations{{{"different", false}, {"common", true}}};

}  // namespace

TrainingOptions read_training_options(SettingsReader& settings) {
  int batch_size = TrainingOptions{}.batch_size;
  settings.read("train.batch_size", batch_size, between(1, 1e9), "Samples of each gradient step.");
  TrainingOptions options = read_descent_options(settings);
  options.batch_size = batch_size;
  settings.read("train.pull", options.pull, at_least(0),
                "Weight of the distance of each tensor from its first weights in the robots' loss.");
  return options;
}

TrainingOptions read_descent_options(SettingsReader& settings) {
  TrainingOptions options;
  OptimizerOptions& optimizer = options.optimizer;
  settings.read("train.optimizer", optimizer.kind, Names<OptimizerOptions::Kind>(kOptimizers),
                "The optimiser of the robots.");
  settings.read("train.learning_rate", optimizer.learning_rate, above(0), "Learning rate of the robots' optimiser.");
  settings.read("train.schedule", options.schedule.kind, Names<RateSchedule::Kind>(kSchedules),
                "How the learning rate changes over all steps of a cell.");
  settings.read("train.warmup_steps", options.schedule.warmup_steps, between(0, 1e9),
                "First steps, in which the learning rate rises from 0.");
  settings.read("train.rate_floor", options.schedule.floor, between(0, 1),
                "Share of the learning rate that a cosine schedule ends at.");
  settings.read("train.weight_decay", optimizer.weight_decay, at_least(0),
                "L2 weight decay: this times the weights is added to each gradient.");
  settings.read("train.momentum", optimizer.momentum, between(0, 1), "Momentum of sgd.");
  settings.read("train.beta1", optimizer.beta1, between(0, 0.999999), "Decay of the first moment of adam.");
  settings.read("train.beta2", optimizer.beta2, between(0, 0.999999), "Decay of the second moment of adam.");
  settings.read("train.epsilon", optimizer.epsilon, above(0), "What adam adds to the root of the second moment.");
  settings.read("train.clip_norm", options.clip_norm, at_least(0),
                "Longest gradient: longer ones are shortened to it; 0: no bound.");
  settings.read("fleet.initialization", options.common_initialization, Names<bool>(kInitializations),
                about::kInitialization);
  settings.read("seed", options.seed, about::kSeed);
  options.device = read_device(settings);
  return options;
}

std::unique_ptr<Workload> make_supervised_workload(SupervisedProblem problem) {
  return std::make_unique<SupervisedWorkload>(std::move(problem));
}

}  // namespace fleet
