#include "torch/online.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "torch/experience.hpp"
#include "torch/proximal.hpp"
#include "torch/random_search.hpp"
#include "torch/robot.hpp"
#include "torch/trainer.hpp"

namespace fleet {
namespace {

/// A robot's own memory as a supervised problem: to do again what it did where it saw what it saw.
SupervisedProblem recollection(const OnlineProblem& problem, const Memory& memory) {
  const auto actions = std::make_shared<Recollection>(memory, Recollection::Of::kActions);
  return {.train = actions,
          .test = actions,
          .groups = {},
          .objective = problem.chooses ? ObjectiveKind::kCrossEntropy : ObjectiveKind::kSquaredError,
          .shards = {},
          .histogram = {},
          .network = problem.network,
          .options = problem.training,
          .trials = problem.trials};
}

class OnlineRobot final : public Robot {
 public:
  /// Plays as the robots `played`, and draws its streams as `index`.
  OnlineRobot(const OnlineProblem& problem, int index, std::vector<int> played)
      : problem_(problem),
        index_(index),
        played_(std::move(played)),
        histories_(*problem.network, problem.shape),
        memory_(histories_, problem.shape.outputs, problem.chooses),
        classroom_(recollection(problem, memory_)),
        student_(classroom_, index, samples(), [this] { return remembered_shard(); }),
        search_(*problem.network, problem.shape.inputs, problem.online.search),
        runner_(make_policy_runner(problem.network, problem.shape)),
        episodes_(played_.size()) {
    if (problem.online.gradient == PolicyGradient::kProximal) proximal_.emplace(problem, index, played_.size());
  }

  void initialize(ParamVector& weights) const override {
    student_.initialize(weights);
    const AffineMap& head = problem_.network->maps().back();
    head.add(head.plain_matrix(weights) * static_cast<float>(problem_.online.head_scale - 1.0), weights);
  }
  std::int64_t samples() const override { return problem_.online.samples_per_epoch() * std::ssize(played_); }
  void expect(std::int64_t total_steps) override { total_steps_ = total_steps; }
  void follow(const GradientTerm* term) override { term_ = term; }

  double train(ParamVector& weights, Optimizer& optimizer, std::int64_t steps,
               const std::function<bool()>& stop) override {
    if (proximal_) {
      return take(steps, stop, [&](double factor) { return improve(weights, optimizer, factor); });
    }
    Trainer trainer(classroom_, weights, optimizer);
    const double loss = take(steps, stop, [&](double factor) {
      const double reached =
          problem_.online.gradient == PolicyGradient::kSearch ? search(weights) : reinforce(weights, trainer);
      if (term_ != nullptr) trainer.add(*term_);
      trainer.follow_gradient(factor);
      return reached;
    });
    trainer.finish();
    return loss;
  }
  void rest() override { student_.rest(); }

  void save(StateWriter& state) override {
    state.write(step_);
    memory_.save(state);
    search_.save(state);
    if (proximal_) {
      state.write_all(std::span<const std::uint64_t>(episodes_));
      proximal_->save(state);
    }
  }
  void load(StateReader& state) override {
    step_ = state.read<std::int64_t>();
    memory_.load(state);
    search_.load(state);
    if (proximal_) {
      state.read_into(std::span(episodes_));
      proximal_->load(state);
    }
    student_.rest();
  }

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    return student_.loss_gradient(at, batch, stream, gradient);
  }
  bool is_quadratic() const override { return student_.is_quadratic(); }
  bool judges() const override { return memory_.size() > 0; }
  Score held_out_score(const ParamVector& at) override { return student_.held_out_score(at); }
  Score held_out_loss(const ParamVector& at) override { return student_.held_out_loss(at); }
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override {
    return student_.map_moments(features, targets, map);
  }
  OutputSums output_sums(const ParamVector& at, std::size_t map) override { return student_.output_sums(at, map); }
  /// Towards what the network said, without the noise of what the robot tried: a head that is fitted to choices would
  /// forget how sure the robot was.
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override {
    const Shard shard = remembered_shard();  // plans look at what is remembered
    Recollection said(memory_, Recollection::Of::kOutputs);
    const VisitPlan plan = classroom_.plan_for(classroom_.network->maps().size() - 1);
    return gather_head(*classroom_.network, make_squared_error(), body, shard.train, said, plan);
  }
  Score trials(const ParamVector& at, int episodes, std::uint64_t draw) override {
    return student_.trials(at, episodes, draw);
  }
  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                         const GradientTerm* term) override {
    if (!judges()) return start;  // it has not played yet, and has nothing to learn from
    return student_.take_steps(start, steps, draw, term);
  }
  Curvature curvature(const ParamVector& at, std::uint64_t draw) override { return student_.curvature(at, draw); }

 private:
  Shard remembered_shard() const {
    Shard shard;
    shard.train.resize(static_cast<std::size_t>(memory_.size()));
    std::iota(shard.train.begin(), shard.train.end(), 0);
    require(!shard.train.empty(), "robot ", index_, " has not played yet, and knows nothing that it could be asked");
    return shard;
  }

  /// Takes steps of `step`, which learns from a batch that it plays, at a factor of the learning rate, and returns the
  /// mean return of its episodes. Minus the mean of these.
  double take(std::int64_t steps, const std::function<bool()>& stop, const std::function<double(double)>& step) {
    double total = 0.0;
    std::int64_t done = 0;
    for (; done < steps && !stop(); ++done, ++step_) {
      batch_.clear();
      total -= step(problem_.training.schedule.factor(step_, total_steps_));
      memory_.remember(batch_, static_cast<std::size_t>(problem_.online.remembered));
    }
    batch_ = {};
    student_.rest();  // what it knows of the memory is no longer so
    return done > 0 ? total / static_cast<double>(done) : 0.0;
  }

  double improve(ParamVector& weights, Optimizer& optimizer, double factor) {
    double sum = 0.0;
    const std::vector<float> deviations = proximal_->deviations();
    for (std::size_t i = 0; i < played_.size(); ++i) {
      const std::size_t enough = batch_.rewards.size() + static_cast<std::size_t>(problem_.online.proximal.batch_steps);
      while (batch_.rewards.size() < enough) {
        sum += explore(weights, played_[i], episodes_[i], problem_.online.environments, deviations);
        episodes_[i] += static_cast<std::uint64_t>(problem_.online.environments);
      }
    }
    RandomStream order(problem_.training.seed, Purpose::kCritic, static_cast<std::uint64_t>(index_),
                       1 + static_cast<std::uint64_t>(step_));
    proximal_->improve(batch_, classroom_, weights, optimizer, term_, factor, order);
    const bool finite = std::ranges::all_of(weights.flat(), [](float weight) { return std::isfinite(weight); });
    require(finite, "robot ", index_, ": its weights are not finite after batch ", step_,
            "; a smaller train.learning_rate may help");
    return sum / static_cast<double>(batch_.lengths.size());
  }

  /// Finds the policy gradient of episodes in which the robot tries this and that; their mean return.
  double reinforce(const ParamVector& weights, Trainer& trainer) {
    double sum = 0.0;
    const int episodes = problem_.online.batch_episodes;
    const std::vector<float> deviations(static_cast<std::size_t>(problem_.shape.outputs),
                                        static_cast<float>(problem_.online.deviation));
    for (const int robot : played_) {
      for (int i = 0; i < episodes; i += problem_.online.environments) {
        const auto first = static_cast<std::uint64_t>(step_ * episodes + i);
        sum += explore(weights, robot, first, std::min(problem_.online.environments, episodes - i), deviations);
      }
    }
    require(std::isfinite(find_gradient(trainer)), "robot ", index_, ": the policy gradient is not finite at step ",
            step_, "; a smaller train.learning_rate may help");
    return sum / static_cast<double>(batch_.lengths.size());
  }

  /// Of batch_; its loss.
  double find_gradient(Trainer& trainer) const {
    double total = 0.0;
    std::vector<std::int32_t> steps;
    for (const Stretch& part : histories_.parts(batch_.lengths)) {
      steps.resize(static_cast<std::size_t>(part.count));
      std::iota(steps.begin(), steps.end(), part.begin);
      const History history = histories_.of(batch_.inputs, batch_.lengths, steps);
      const Loss loss = policy_loss(batch_, problem_.online, problem_.chooses, part);
      Pass pass{.training = true, .steps = history.steps};
      const torch::Tensor reached = part.begin == 0 ? trainer.find_gradient(loss, history.inputs, pass)
                                                    : trainer.add_gradient(loss, history.inputs, pass);
      total += reached.item<double>();
    }
    return total;
  }

  /// Finds the gradient by episodes of policies nearby; their mean return.
  double search(const ParamVector& weights) {
    double sum = 0.0;
    RandomStream stream(problem_.training.seed, Purpose::kExploration, static_cast<std::uint64_t>(index_),
                        static_cast<std::uint64_t>(step_));
    const auto episodes = static_cast<std::uint64_t>(problem_.online.batch_episodes);
    const auto try_out = [&](const ParamVector& near, std::uint64_t i) {
      double here = 0.0;
      for (const int robot : played_) {
        const double reached = play(near, robot, static_cast<std::uint64_t>(step_) * episodes + i, 1, {}, {});
        here += reached + problem_.online.shift * batch_.lengths.back();
        sum += reached;
      }
      return here;
    };
    search_.estimate(weights, try_out, stream, classroom_.gradient);
    search_.see(batch_.inputs);
    return sum / static_cast<double>(batch_.lengths.size());
  }

  /// Episodes in which the robot tries this and that, each by a stream of its own.
  double explore(const ParamVector& weights, int robot, std::uint64_t first, int count,
                 std::span<const float> deviations) {
    std::vector<RandomStream> streams;
    for (std::uint64_t number = first; number < first + static_cast<std::uint64_t>(count); ++number) {
      streams.emplace_back(problem_.training.seed, Purpose::kExploration, static_cast<std::uint64_t>(robot), number);
    }
    return play(weights, robot, first, count, deviations, streams);
  }

  /// Episodes side by side, added to batch_: the sum of their rewards as they are. Without `streams` the robot does
  /// what its network says.
  double play(const ParamVector& weights, int robot, std::uint64_t first, int count, std::span<const float> deviations,
              std::span<RandomStream> streams) {
    runner_->use(weights);
    runner_->begin(count);
    Actor actor(*runner_, count, problem_.chooses, deviations, streams);
    std::vector<Played> played =
        problem_.play(robot, first, count,
                      [&](std::span<const float> inputs, std::span<float> actions) { actor.act(inputs, actions); });
    double sum = 0.0;
    for (Played& episode : played) {
      sum += std::accumulate(episode.rewards.begin(), episode.rewards.end(), 0.0);
      for (float& reward : episode.rewards) reward += static_cast<float>(problem_.online.shift);
    }
    actor.add_to(batch_, std::move(played));
    return sum;
  }

  const OnlineProblem& problem_;
  int index_;
  std::vector<int> played_;
  Histories histories_;
  Memory memory_;
  Classroom classroom_;  // of what it remembers
  SupervisedRobot student_;
  RandomSearch search_;
  std::unique_ptr<PolicyRunner> runner_;
  Experience batch_;
  std::optional<ProximalLearner> proximal_;
  std::vector<std::uint64_t> episodes_;  // of proximal_, whose batches have any number of them: how many of each played
  std::int64_t step_ = 0;
  std::int64_t total_steps_ = 0;
  const GradientTerm* term_ = nullptr;
};

class OnlineWorkload final : public Workload {
 public:
  explicit OnlineWorkload(OnlineProblem problem) : problem_(std::move(problem)) {}

  const SymmetrySpec& symmetry() const override { return problem_.network->symmetry(); }
  std::span<const AffineMap> maps() const override { return problem_.network->maps(); }
  OptimizerOptions optimizer() const override { return problem_.training.optimizer; }
  /// All that a robot plays is of one kind.
  std::vector<std::int64_t> histogram(int /*robot*/) const override { return {problem_.online.samples_per_epoch()}; }
  std::int64_t steps_per_epoch(int /*robot*/) const override { return problem_.online.steps_per_epoch(); }

  std::unique_ptr<Robot> make_robot(int robot) override {
    return std::make_unique<OnlineRobot>(problem_, robot, std::vector<int>{robot});
  }
  std::unique_ptr<Robot> make_joint_robot() override {
    std::vector<int> all(static_cast<std::size_t>(problem_.robots));
    std::iota(all.begin(), all.end(), 0);
    return std::make_unique<OnlineRobot>(problem_, 0, std::move(all));
  }

  int test_parts() const override { return problem_.test_parts; }
  std::vector<std::string> metrics() const override { return problem_.metrics; }
  std::vector<Score> test_scores(const ParamVector& weights, int part) override { return problem_.test(weights, part); }

 private:
  OnlineProblem problem_;
};

/// What is noted of a step: what the network saw, what it said, and what was done.
std::int64_t numbers_of_step(const NetworkShape& shape, bool chooses) {
  return shape.inputs + shape.outputs + (chooses ? 1 : shape.outputs);
}

}  // namespace

std::int64_t OnlineOptions::robot_bytes(const NetworkShape& shape, bool chooses, int longest) const {
  const std::int64_t memory = numbers_of_step(shape, chooses) * longest * remembered;
  if (gradient != PolicyGradient::kProximal) return memory * static_cast<std::int64_t>(sizeof(float));
  constexpr std::int64_t kKept = 3;  // the critic's weights and moments
  std::int64_t critic = 0;
  std::int64_t inputs = shape.inputs;
  for (const std::int64_t outputs : proximal.critic) {
    critic += outputs * (inputs + 1);
    inputs = outputs;
  }
  return (memory + kKept * (critic + inputs + 1)) * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t OnlineOptions::batch_bytes(const NetworkShape& shape, bool chooses, int longest) const {
  const std::int64_t beside = std::int64_t{environments} * longest;
  const std::int64_t steps =
      gradient == PolicyGradient::kProximal ? proximal.batch_steps + beside : std::int64_t{batch_episodes} * longest;
  constexpr std::int64_t kReward = 1;
  return (steps + beside) * (numbers_of_step(shape, chooses) + kReward) * static_cast<std::int64_t>(sizeof(float));
}

std::int64_t OnlineOptions::steps_per_epoch() const {
  return gradient == PolicyGradient::kProximal ? proximal.epoch_batches : epoch_episodes / batch_episodes;
}

std::int64_t OnlineOptions::samples_per_epoch() const {
  if (gradient != PolicyGradient::kProximal) return epoch_episodes;
  return static_cast<std::int64_t>(proximal.epoch_batches) * proximal.batch_steps;
}

std::vector<float> advantages(std::span<const float> rewards, std::span<const std::int32_t> lengths,
                              const OnlineOptions& options) {
  std::vector<float> returns(rewards.size());
  std::size_t end = 0;
  for (const std::int32_t length : lengths) {
    end += static_cast<std::size_t>(length);
    double sum = 0.0;
    for (std::size_t i = end; i > end - static_cast<std::size_t>(length); --i) {
      sum = static_cast<double>(rewards[i - 1]) + options.discount * sum;
      returns[i - 1] = static_cast<float>(sum);
    }
  }
  if (options.baseline) standardise(returns);
  return returns;
}

std::unique_ptr<Workload> make_online_workload(OnlineProblem problem) {
  return std::make_unique<OnlineWorkload>(std::move(problem));
}

}  // namespace fleet
