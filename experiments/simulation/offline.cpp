#include "simulation/offline.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/error.hpp"

namespace fleet::simulation {
namespace {

constexpr float kReturnScale = 1e-3F;  // of what a network is told of returns
constexpr const char* kReturns = "target_returns";

/// Of each body's episodes.
int groups_of(const OfflineOptions& options) {
  return (options.episodes + kTogether - 1) / kTogether;
}

/// Over the first rows of the windows that a body's robots train on, in their order.
ObservationMoments moments_of(const std::vector<Shard>& shards, const TrajectoryView& data, std::size_t body,
                              std::size_t states_begin) {
  const std::size_t size = data.index->sizes[body].observation;
  ObservationMoments moments(size);
  for (const Shard& shard : shards) {
    for (const std::int32_t row : shard.train) {
      const auto place = static_cast<std::size_t>(row - data.index->bodies[body]);
      moments.add(data.numbers.states.subspan(states_begin + place * size, size));
    }
  }
  return moments;
}

/// The return that so many per cent of a body's episodes do not exceed.
double percentile_of(const Trajectories& all, std::size_t body, double percent) {
  std::vector<double> returns;
  for (std::int32_t e = all.of_bodies[body]; e < all.of_bodies[body + 1]; ++e) {
    returns.push_back(all.episode_return(static_cast<std::size_t>(e)));
  }
  std::ranges::sort(returns);
  const double place = percent / 100.0 * static_cast<double>(returns.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, returns.size() - 1);
  return returns[below] + (place - std::floor(place)) * (returns[above] - returns[below]);
}

/// Where each body's states begin among the numbers.
std::vector<std::size_t> state_begins(const Trajectories& all) {
  std::vector<std::size_t> begins{0};
  for (std::size_t b = 0; b < all.sizes.size(); ++b) {
    begins.push_back(begins.back() +
                     static_cast<std::size_t>(all.bodies[b + 1] - all.bodies[b]) * all.sizes[b].observation);
  }
  return begins;
}

/// Plays episodes of the bodies, by one set of weights after another.
class Stage {
 public:
  Stage(const OfflineOptions& options, Conditions conditions, std::shared_ptr<const Network> network,
        EnvironmentPool& environments)
      : options_(options), acting_(options, std::move(conditions), std::move(network)), environments_(environments) {}

  /// Of the test: a group of a body's episodes.
  std::vector<EpisodeResult> test(const ParamVector& weights, int group, std::size_t body) {
    const int task = options_.tasks[body];
    std::vector<Variation> variations;
    for (int number = group * kTogether; number < std::min((group + 1) * kTogether, options_.episodes); ++number) {
      RandomStream stream(options_.training.seed, Purpose::kRollout, static_cast<std::uint64_t>(task),
                          static_cast<std::uint64_t>(number));
      variations.push_back(options_.suite->draw(task, stream));
    }
    return play(weights, task, variations);
  }

  /// TrialRunner, in the robot's own body: the sum of scores, or of returns.
  Score try_out(int robot, const ParamVector& weights, int episodes, std::uint64_t draw) {
    const std::size_t body = options_.body_of(robot);
    RandomStream stream(options_.training.seed, Purpose::kTrial, static_cast<std::uint64_t>(robot), draw);
    Score score;
    for (int begin = 0; begin < episodes; begin += kTogether) {
      std::vector<Variation> variations;
      for (int i = begin; i < std::min(begin + kTogether, episodes); ++i) {
        variations.push_back(options_.suite->draw(options_.tasks[body], stream));
      }
      for (const EpisodeResult& episode : play(weights, options_.tasks[body], variations)) {
        score.sum += has_scores() ? score_of(body, episode) : episode.reward;
        score.samples += 1.0;
      }
    }
    return score;
  }

  /// Whether returns of all bodies can be told on one scale; from 0 (a random policy) to 100 (an expert).
  [[nodiscard]] bool has_scores() const {
    return std::ranges::all_of(options_.tasks, [&](int task) {
      return options_.suite->task(task).expert != options_.suite->task(task).random;
    });
  }
  [[nodiscard]] double score_of(std::size_t body, const EpisodeResult& episode) const {
    const Task& task = options_.suite->task(options_.tasks[body]);
    return 100.0 * (episode.reward - task.random) / (task.expert - task.random);
  }

 private:
  std::vector<EpisodeResult> play(const ParamVector& weights, int task, std::span<const Variation> variations) {
    const std::vector<Environment*> now = environments_.side_by_side(task, variations.size());
    for (std::size_t i = 0; i < now.size(); ++i) now[i]->reset(variations[i]);
    acting_.use(weights);
    return acting_.roll_out(now, std::min(options_.max_steps, options_.suite->task(task).steps));
  }

  OfflineOptions options_;
  DecisionPolicy acting_;
  EnvironmentPool& environments_;
};

/// Learns as the supervised workload does, and is tested in the simulator besides.
class OfflineWorkload final : public Workload {
 public:
  OfflineWorkload(const OfflineOptions& options, Companions companions, std::unique_ptr<Workload> learner,
                  std::shared_ptr<Stage> stage)
      : options_(options), companions_(std::move(companions)), learner_(std::move(learner)), stage_(std::move(stage)) {}

  const SymmetrySpec& symmetry() const override { return learner_->symmetry(); }
  std::span<const AffineMap> maps() const override { return learner_->maps(); }
  OptimizerOptions optimizer() const override { return learner_->optimizer(); }
  std::vector<std::int64_t> histogram(int robot) const override { return learner_->histogram(robot); }
  std::int64_t steps_per_epoch(int robot) const override {
    return learner_->steps_per_epoch(robot) > 0 ? options_.epoch_steps : 0;
  }
  std::unique_ptr<Robot> make_robot(int robot) override { return learner_->make_robot(robot); }
  std::unique_ptr<Robot> make_joint_robot() override { return learner_->make_joint_robot(); }
  std::unique_ptr<Robot> make_finetune_robot() override { return learner_->make_finetune_robot(); }
  Companions companions() const override { return companions_; }

  int test_parts() const override { return groups_of(options_) * static_cast<int>(options_.bodies()); }
  std::vector<int> parts_of(int robot) const override {
    std::vector<int> parts;
    for (int part = static_cast<int>(options_.body_of(robot)); part < test_parts();
         part += static_cast<int>(options_.bodies())) {
      parts.push_back(part);
    }
    return parts;
  }
  std::vector<std::string> metrics() const override {
    std::vector<std::string> names = {"return", "length", "diverged", "loss"};
    if (stage_->has_scores()) names.emplace_back("score");
    return names;
  }

  std::vector<Score> test_scores(const ParamVector& weights, int part) override {
    const auto bodies = static_cast<int>(options_.bodies());
    const auto body = static_cast<std::size_t>(part % bodies);
    std::vector<Score> scores(metrics().size());
    const auto add = [](Score& score, double value) {
      score.sum += value;
      score.samples += 1.0;
    };
    for (const EpisodeResult& episode : stage_->test(weights, part / bodies, body)) {
      add(scores[0], episode.reward);
      add(scores[1], episode.steps);
      add(scores[2], episode.diverged ? 1.0 : 0.0);
      if (stage_->has_scores()) add(scores[4], stage_->score_of(body, episode));
    }
    scores[3] = learner_->test_scores(weights, part).front();
    return scores;
  }

  /// Parts without samples are of bodies that were not asked.
  std::vector<NamedValue> summarize(std::span<const Score> scores) const override {
    const std::vector<std::string> names = metrics();
    const std::size_t bodies = options_.bodies();
    std::vector<Score> totals(names.size() * bodies);
    for (std::size_t i = 0; i < scores.size(); ++i) {
      const std::size_t body = i / names.size() % bodies;
      totals[body * names.size() + i % names.size()].sum += scores[i].sum;
      totals[body * names.size() + i % names.size()].samples += scores[i].samples;
    }
    std::vector<NamedValue> summary;
    const auto mean = [](const Score& score) { return score.sum / score.samples; };
    for (std::size_t m = 0; m < names.size(); ++m) {  // of the bodies' means
      double sum = 0.0;
      double asked = 0.0;
      for (std::size_t b = 0; b < bodies; ++b) {
        const Score& total = totals[b * names.size() + m];
        if (total.samples == 0.0) continue;
        sum += mean(total);
        ++asked;
      }
      summary.push_back({names[m], sum / asked});
    }
    for (std::size_t b = 0; bodies > 1 && b < bodies; ++b) {
      for (std::size_t m = 0; m < names.size(); ++m) {
        const Score& total = totals[b * names.size() + m];
        const bool told = names[m] == "return" || names[m] == "score" || names[m] == "loss";
        if (told && total.samples > 0.0) summary.push_back({cat(names[m], '_', task_of(b).name), mean(total)});
      }
    }
    return summary;
  }

 private:
  [[nodiscard]] const Task& task_of(std::size_t body) const { return options_.suite->task(options_.tasks[body]); }

  OfflineOptions options_;
  Companions companions_;
  std::unique_ptr<Workload> learner_;
  std::shared_ptr<Stage> stage_;
};

/// Shards of all robots, by first rows of windows; the robots of a body share its episodes.
std::vector<Shard> share_out(const OfflineOptions& options, const std::vector<TrajectorySplit>& splits) {
  std::vector<Shard> shards(static_cast<std::size_t>(options.partition.robots));
  for (std::size_t b = 0; b < options.bodies(); ++b) {
    std::vector<int> robots;
    for (int i = 0; i < options.partition.robots; ++i) {
      if (options.body_of(i) == b) robots.push_back(i);
    }
    PartitionOptions partition_options = options.partition;
    partition_options.robots = static_cast<int>(robots.size());
    const std::vector<std::uint8_t> labels(splits[b].train.size(), 0);
    const std::vector<Shard> own = partition(labels, 1, partition_options, options.training.seed, splits[b].episodes);
    for (std::size_t r = 0; r < robots.size(); ++r) {
      Shard& shard = shards[static_cast<std::size_t>(robots[r])];
      const auto take = [&](const std::vector<std::int32_t>& from, std::vector<std::int32_t>& to) {
        for (const std::int32_t place : from) to.push_back(splits[b].train[static_cast<std::size_t>(place)]);
      };
      take(own[r].train, shard.train);
      take(own[r].held_out, shard.held_out);
    }
  }
  return shards;
}

/// Deals every body's windows of the test to its groups of episodes: part = group x bodies + body.
TestGroups deal_to_parts(const std::vector<TrajectorySplit>& splits, std::size_t groups) {
  TestGroups parts{.name = "part", .samples = std::vector<std::vector<std::int32_t>>(groups * splits.size())};
  for (std::size_t b = 0; b < splits.size(); ++b) {
    for (std::size_t i = 0; i < splits[b].test.size(); ++i) {
      parts.samples[i % groups * splits.size() + b].push_back(splits[b].test[i]);
    }
  }
  return parts;
}

}  // namespace

OfflineOptions read_offline_options(SettingsReader& settings, std::shared_ptr<const Suite> suite) {
  OfflineOptions options{.suite = std::move(suite)};
  options.tasks = read_tasks(settings, *options.suite, false);
  settings.read("data.test", options.test, between(0.01, 0.9),
                "Share of each body's episodes that the loss is tested on.");
  constexpr int kWindow = 20;
  const int longest = options.suite->most_steps();
  options.max_steps = longest;
  options.shape = {.input = NetworkShape::Input::kTrajectory, .steps = kWindow, .longest = longest};
  settings.read("data.window", options.shape.steps, between(1, longest),
                "Last steps that a Decision Transformer sees.");
  options.shape.bodies = static_cast<int>(options.tasks.size());
  for (const int task : options.tasks) {
    options.shape.states += static_cast<int>(options.suite->sizes(task).observation);
    options.shape.outputs += static_cast<int>(options.suite->sizes(task).action);
  }
  options.shape.inputs = 3 * options.shape.bodies + options.shape.states + options.shape.outputs + 1;
  settings.read("evaluate.episodes", options.episodes, between(1, 10'000), "Episodes of each body in a test.");
  settings.read("evaluate.max_steps", options.max_steps, between(1, longest), "Longest episode, in steps.");
  settings.read("evaluate.percentile", options.percentile, between(0, 100),
                "Percentile of the data's returns that policies are asked for.");
  settings.read("evaluate.returns", options.returns, Range{},
                "Returns that policies are asked for, one for each body; []: by the percentile.");
  if (!options.returns.empty() && options.returns.size() != options.tasks.size()) {
    reject("evaluate.returns", settings.resolved().at("evaluate.returns"),
           cat("expected one for each of the ", options.tasks.size(), " bodies of data.tasks"));
  }
  settings.read("train.epoch_steps", options.epoch_steps, between(1, 1e9), "Gradient steps of a local epoch.");
  options.partition = read_partition_options(settings);
  if (std::cmp_less(options.partition.robots, options.tasks.size())) {
    reject("fleet.robots", settings.resolved().at("fleet.robots"),
           cat("expected one at least for each of the ", options.tasks.size(), " bodies of data.tasks"));
  }
  options.training = read_training_options(settings);
  return options;
}

Companions Conditions::companions() const {
  Companions all;
  for (const ObservationScaling& scaling : scalings) {
    for (const auto& [name, values] : scaling.companions()) {
      all[name].insert(all[name].end(), values.begin(), values.end());
    }
  }
  all[kReturns].assign(returns.begin(), returns.end());
  return all;
}

Conditions Conditions::saved(const Companions& companions, std::span<const Sizes> sizes) {
  Conditions conditions;
  std::size_t begin = 0;
  for (const Sizes& size : sizes) {
    Companions own;
    for (const auto& [name, values] : companions) {
      if (name == kReturns || values.size() < begin + size.observation) continue;
      own[name].assign(values.begin() + static_cast<std::ptrdiff_t>(begin),
                       values.begin() + static_cast<std::ptrdiff_t>(begin + size.observation));
    }
    conditions.scalings.emplace_back(own, size.observation);
    begin += size.observation;
  }
  const auto returns = companions.find(kReturns);
  require(returns != companions.end() && returns->second.size() == sizes.size(), "it holds no ", kReturns, " of ",
          sizes.size(), " numbers, which its policy is asked for");
  conditions.returns.assign(returns->second.begin(), returns->second.end());
  return conditions;
}

std::span<float> describe_step(std::size_t bodies, std::size_t body, const Sizes& begin, const Sizes& total,
                               float to_go, std::span<const float> last_action, std::int32_t step,
                               std::span<float> into) {
  std::ranges::fill(into, 0.0F);
  const std::size_t states = 2 * bodies;
  const std::size_t again = states + total.observation;
  into[body] = kReturnScale * to_go;
  into[bodies + body] = 1.0F;
  into[again + body] = 1.0F;
  std::ranges::copy(last_action, into.begin() + static_cast<std::ptrdiff_t>(again + bodies + begin.action));
  into.back() = static_cast<float>(step);
  return into.subspan(states + begin.observation, again - states - begin.observation);
}

DecisionPolicy::DecisionPolicy(const OfflineOptions& options, Conditions conditions,
                               std::shared_ptr<const Network> network)
    : suite_(options.suite),
      tasks_(options.tasks),
      conditions_(std::move(conditions)),
      features_(static_cast<std::size_t>(options.shape.inputs)),
      runner_(make_policy_runner(std::move(network), options.shape)) {
  for (const int task : tasks_) {
    total_.observation += suite_->sizes(task).observation;
    total_.action += suite_->sizes(task).action;
  }
}

Policy DecisionPolicy::policy() {
  return {[this](Environment& environment, std::span<float> action) {
            const std::array<Environment*, 1> one = {&environment};
            decide(one);
            std::ranges::copy(lanes_.front().last, action.begin());
            return true;
          },
          [this](const Environment& environment) { begin(environment.task(), 1); },
          [this](const StepResult& step) { lanes_.front().to_go -= step.reward; }};
}

std::vector<EpisodeResult> DecisionPolicy::roll_out(std::span<Environment* const> environments, int steps) {
  std::vector<EpisodeResult> results(environments.size());
  begin(environments.front()->task(), environments.size());
  const auto goes_on = [&](const EpisodeResult& result) { return !result.over() && result.steps < steps; };
  while (std::ranges::any_of(results, goes_on)) {
    decide(environments);
    for (std::size_t i = 0; i < results.size(); ++i) {
      EpisodeResult& result = results[i];
      if (!goes_on(result)) continue;  // its lane goes on seeing what it saw
      const StepResult step = environments[i]->step(lanes_[i].last);
      result.add(step);
      lanes_[i].to_go -= step.reward;
    }
  }
  return results;
}

void DecisionPolicy::begin(int task, std::size_t lanes) {
  const auto found = std::ranges::find(tasks_, task);
  if (found == tasks_.end()) throw ConfigError(cat("the policy knows nothing of ", suite_->task(task).name));
  body_ = static_cast<std::size_t>(found - tasks_.begin());
  begin_ = {};
  for (std::size_t b = 0; b < body_; ++b) {
    begin_.observation += suite_->sizes(tasks_[b]).observation;
    begin_.action += suite_->sizes(tasks_[b]).action;
  }
  step_ = 0;
  const Sizes& sizes = suite_->sizes(task);
  lanes_.assign(lanes, {.to_go = conditions_.returns[body_], .last = std::vector<float>(sizes.action)});
  state_.resize(sizes.observation);
  inputs_.resize(lanes * features_);
  outputs_.resize(lanes * total_.action);
  runner_->begin(static_cast<int>(lanes));
}

void DecisionPolicy::decide(std::span<Environment* const> environments) {
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    std::ranges::transform(environments[i]->observation(), state_.begin(),
                           [](double value) { return static_cast<float>(value); });
    const std::span<float> state =
        describe_step(tasks_.size(), body_, begin_, total_, static_cast<float>(lanes_[i].to_go), lanes_[i].last, step_,
                      std::span(inputs_).subspan(i * features_, features_));
    conditions_.scalings[body_].apply(state_, state);
  }
  runner_->act(inputs_, outputs_);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    const float* const said = outputs_.data() + i * total_.action + begin_.action;
    std::transform(said, said + lanes_[i].last.size(), lanes_[i].last.begin(),
                   [](float value) { return std::clamp(value, -1.0F, 1.0F); });
  }
  ++step_;
}

std::unique_ptr<Workload> make_offline_workload(const OfflineOptions& options, const TrajectoryView& data,
                                                std::shared_ptr<const Network> network, EnvironmentPool& environments,
                                                std::shared_ptr<const ParamVector> start) {
  const Trajectories& all = *data.index;
  std::vector<TrajectorySplit> splits;
  for (std::size_t b = 0; b < options.bodies(); ++b) {
    splits.push_back(split_trajectories(all, b, options.tasks[b], options.suite->task(options.tasks[b]).name,
                                        options.test, options.shape.steps));
  }
  std::vector<Shard> shards = share_out(options, splits);
  const std::vector<std::size_t> states = state_begins(all);
  auto conditions = std::make_shared<Conditions>();
  for (std::size_t b = 0; b < options.bodies(); ++b) {
    std::vector<Shard> own;
    for (std::size_t i = 0; i < shards.size(); ++i) {
      if (options.body_of(static_cast<int>(i)) == b) own.push_back(shards[i]);
    }
    conditions->scalings.emplace_back(moments_of(own, data, b, states[b]));
    conditions->returns.push_back(options.returns.empty() ? percentile_of(all, b, options.percentile)
                                                          : options.returns[b]);
  }
  const auto observe = [data, conditions, states, total = all.total()](std::int32_t row, std::span<float> into) {
    const Trajectories& index = *data.index;
    const std::size_t body = index.body_of(row);
    const Sizes& sizes = index.sizes[body];
    const Sizes begin = index.begin_of(body);
    const std::int32_t step = index.step_of(row);
    const auto place = static_cast<std::size_t>(row - index.bodies[body]);
    std::span<const float> last;
    if (step > 0) {
      last =
          data.numbers.actions.subspan(static_cast<std::size_t>(row - 1) * total.action + begin.action, sizes.action);
    }
    const std::span<float> state = describe_step(index.sizes.size(), body, begin, total,
                                                 index.to_go[static_cast<std::size_t>(row)], last, step, into);
    conditions->scalings[body].apply(
        data.numbers.states.subspan(states[body] + place * sizes.observation, sizes.observation), state);
  };
  const std::shared_ptr<Samples> samples = make_samples(Demonstrations{.actions = data.numbers.actions,
                                                                       .features = options.shape.inputs,
                                                                       .dimensions = options.shape.outputs,
                                                                       .window = options.shape.steps,
                                                                       .observe = observe});
  const auto stage = std::make_shared<Stage>(options, *conditions, network, environments);
  std::vector<std::int64_t> counts;
  for (const Shard& shard : shards) counts.push_back(std::ssize(shard.train));
  std::unique_ptr<Workload> learner = make_supervised_workload(
      {.train = samples,
       .test = samples,
       .groups = deal_to_parts(splits, static_cast<std::size_t>(groups_of(options))),
       .objective = options.bodies() > 1 ? ObjectiveKind::kMaskedSquaredError : ObjectiveKind::kSquaredError,
       .shards = shards,
       .histogram =
           [counts, options](int i) {
             std::vector<std::int64_t> histogram(options.bodies());
             histogram[options.body_of(i)] = counts[static_cast<std::size_t>(i)];
             return histogram;
           },
       .network = std::move(network),
       .options = options.training,
       .trials = [stage](int robot, const ParamVector& weights, int episodes,
                         std::uint64_t draw) { return stage->try_out(robot, weights, episodes, draw); },
       .start = std::move(start)});
  return std::make_unique<OfflineWorkload>(options, conditions->companions(), std::move(learner), stage);
}

}  // namespace fleet::simulation
