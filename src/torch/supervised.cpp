#include "torch/supervised.hpp"

#include <numeric>

#include "base/error.hpp"
#include "torch/robot.hpp"

namespace fleet {
namespace {

class SupervisedWorkload final : public Workload {
 public:
  explicit SupervisedWorkload(SupervisedProblem problem)
      : problem_(std::move(problem)),
        classroom_(problem_),
        test_samples_(static_cast<std::size_t>(problem_.test->size())) {
    std::iota(test_samples_.begin(), test_samples_.end(), 0);
  }

  const SymmetrySpec& symmetry() const override { return classroom_.network->symmetry(); }
  std::span<const AffineMap> maps() const override { return classroom_.network->maps(); }
  const std::vector<std::vector<std::int64_t>>& histograms() const override { return problem_.histograms; }

  std::int64_t steps_per_epoch(int robot) const override {
    const auto samples = static_cast<std::int64_t>(shard(robot).train.size());
    const std::int64_t batch = classroom_.options.batch_size;
    return (samples + batch - 1) / batch;
  }

  std::unique_ptr<Robot> make_robot(int robot) override {
    return std::make_unique<SupervisedRobot>(classroom_, robot, shard(robot));
  }

  std::unique_ptr<Robot> make_joint_robot() override {
    Shard pooled;
    for (const Shard& shard : problem_.shards) {
      pooled.train.insert(pooled.train.end(), shard.train.begin(), shard.train.end());
    }
    return std::make_unique<SupervisedRobot>(classroom_, 0, std::move(pooled));
  }

  int test_parts() const override { return static_cast<int>((test_samples_.size() + part_size() - 1) / part_size()); }
  std::vector<std::string> metrics() const override { return classroom_.objective->metrics(); }
  std::vector<Score> test_scores(const ParamVector& weights, int part) override {
    const std::size_t begin = static_cast<std::size_t>(part) * part_size();
    const auto samples = std::span<const std::int32_t>(test_samples_)
                             .subspan(begin, std::min(part_size(), test_samples_.size() - begin));
    return score_samples(*classroom_.network, *classroom_.objective, weights, samples, *problem_.test, classroom_.plan);
  }

 private:
  const Shard& shard(int robot) const { return problem_.shards[static_cast<std::size_t>(robot)]; }
  std::size_t part_size() const { return static_cast<std::size_t>(classroom_.plan.at_once); }

  SupervisedProblem problem_;
  Classroom classroom_;
  std::vector<std::int32_t> test_samples_;
};

constexpr std::array<std::pair<std::string_view, OptimizerOptions::Kind>, 2> kOptimizers{
    {{"adam", OptimizerOptions::Kind::kAdam}, {"sgd", OptimizerOptions::Kind::kSgd}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kInitializations{{{"different", false}, {"common", true}}};

}  // namespace

TrainingOptions read_training_options(SettingsReader& settings) {
  TrainingOptions options;
  OptimizerOptions& optimizer = options.optimizer;
  settings.read("train.batch_size", options.batch_size, at_least(1));
  settings.read("train.optimizer", optimizer.kind, Names<OptimizerOptions::Kind>(kOptimizers));
  settings.read("train.learning_rate", optimizer.learning_rate, above(0));
  settings.read("train.weight_decay", optimizer.weight_decay, at_least(0));
  settings.read("train.momentum", optimizer.momentum, between(0, 1));
  settings.read("train.beta1", optimizer.beta1, between(0, 0.999999));
  settings.read("train.beta2", optimizer.beta2, between(0, 0.999999));
  settings.read("train.epsilon", optimizer.epsilon, above(0));
  settings.read("train.clip_norm", options.clip_norm, at_least(0));
  settings.read("fleet.initialization", options.common_initialization, Names<bool>(kInitializations));
  settings.read("seed", options.seed);
  return options;
}

std::unique_ptr<Workload> make_supervised_workload(SupervisedProblem problem) {
  return std::make_unique<SupervisedWorkload>(std::move(problem));
}

}  // namespace fleet
