#include "simulation/workload.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "simulation/network_policy.hpp"

namespace fleet::simulation {
namespace {

constexpr std::array kHidden = {256, 256, 256};

/// What the robots tell of the windows in their shards, in the order of robots.
ObservationMoments moments_of(std::span<const Shard> shards, std::span<const float> observations, std::size_t size,
                              int window) {
  const std::size_t numbers = static_cast<std::size_t>(window) * size;
  ObservationMoments fleet(size);
  for (const Shard& shard : shards) {
    ObservationMoments own(size);
    for (const std::int32_t row : shard.train) {
      own.add(observations.subspan(static_cast<std::size_t>(row) * size, numbers));
    }
    fleet.add(own);
  }
  return fleet;
}

/// Deals every task's test rows to its episodes: part = episode x tasks + task, those without demonstrations last, so
/// that ranks, which take consecutive parts, have their share of every task.
TestGroups deal_to_parts(const CloningSplit& split, std::size_t unseen, std::size_t episodes) {
  const std::size_t tasks = split.test.size() + unseen;
  TestGroups parts{.name = "part", .samples = std::vector<std::vector<std::int32_t>>(episodes * tasks)};
  for (std::size_t t = 0; t < split.test.size(); ++t) {
    for (std::size_t i = 0; i < split.test[t].size(); ++i) {
      parts.samples[i % episodes * tasks + t].push_back(split.test[t][i]);
    }
  }
  return parts;
}

/// Robots' trials of policies (LocalData::trials): episodes of the tasks that a robot has demonstrations of, each as
/// often as its share of them.
class RobotTrials {
 public:
  RobotTrials(const CloningOptions& options, std::shared_ptr<const ObservationEncoder> encoder,
              std::shared_ptr<const Network> network, const std::vector<std::vector<std::int64_t>>& histograms,
              EnvironmentPool& environments)
      : options_(options),
        network_policy_(std::move(encoder), std::move(network), options.shape),
        policy_(network_policy_.policy()),
        histograms_(histograms),
        environments_(&environments) {}

  Score run(int robot, const ParamVector& weights, int episodes, std::uint64_t draw) {
    Round& round = rounds_[robot];
    if (!round.trials || round.draw != draw || round.trials->size() != static_cast<std::size_t>(episodes)) {
      round = {draw, std::make_unique<Trials>(draw_episodes(robot, episodes, draw), *environments_)};
    }
    network_policy_.use(weights);
    Score score;
    const bool rewards = options_.suite->facts().score == Facts::Score::kReward;
    for (std::size_t number = 0; number < round.trials->size(); ++number) {
      const EpisodeResult episode = round.trials->run(number, policy_, options_.max_steps);
      score.sum += rewards ? episode.reward : (episode.success ? 1.0 : 0.0);
      score.samples += 1.0;
    }
    return score;
  }

 private:
  std::vector<EpisodeSpec> draw_episodes(int robot, int episodes, std::uint64_t draw) const {
    RandomStream stream(options_.training.seed, Purpose::kTrial, static_cast<std::uint64_t>(robot), draw);
    const std::vector<std::int64_t>& counts = histograms_[static_cast<std::size_t>(robot)];
    const auto samples = static_cast<std::uint64_t>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
    std::vector<EpisodeSpec> drawn;
    for (int episode = 0; episode < episodes; ++episode) {
      auto place = static_cast<std::int64_t>(stream.below(samples));
      std::size_t task = 0;
      while (place >= counts[task]) place -= counts[task++];
      drawn.push_back({.task = options_.tasks[task], .variation = options_.suite->draw(options_.tasks[task], stream)});
    }
    return drawn;
  }

  /// A robot's trials of one draw, kept for the candidates that follow.
  struct Round {
    std::uint64_t draw = 0;
    std::unique_ptr<Trials> trials;
  };
  CloningOptions options_;
  NetworkPolicy network_policy_;
  Policy policy_;  // of the network
  std::vector<std::vector<std::int64_t>> histograms_;
  EnvironmentPool* environments_;
  std::map<int, Round> rounds_;
};

/// Trains as the supervised workload does, and tests in the simulator besides.
class CloningWorkload final : public Workload {
 public:
  CloningWorkload(const CloningOptions& options, std::shared_ptr<const ObservationEncoder> encoder,
                  std::unique_ptr<Workload> learner, std::shared_ptr<const Network> network, Trials& trials)
      : options_(options),
        encoder_(std::move(encoder)),
        learner_(std::move(learner)),
        network_policy_(encoder_, std::move(network), options.shape),
        policy_(network_policy_.policy()),
        trials_(&trials) {}

  const SymmetrySpec& symmetry() const override { return learner_->symmetry(); }
  std::span<const AffineMap> maps() const override { return learner_->maps(); }
  OptimizerOptions optimizer() const override { return learner_->optimizer(); }
  std::vector<std::int64_t> histogram(int robot) const override { return learner_->histogram(robot); }
  std::int64_t steps_per_epoch(int robot) const override { return learner_->steps_per_epoch(robot); }
  std::unique_ptr<Robot> make_robot(int robot) override { return learner_->make_robot(robot); }
  std::unique_ptr<Robot> make_joint_robot() override { return learner_->make_joint_robot(); }
  std::unique_ptr<Robot> make_finetune_robot() override { return learner_->make_finetune_robot(); }

  Companions companions() const override {
    Companions companions = encoder_->scaling().companions();
    if (const std::vector<float> sight = sight_mark(*options_.suite); !sight.empty()) companions.emplace(kSight, sight);
    return companions;
  }

  int test_parts() const override { return static_cast<int>(trials_->size()); }
  std::vector<std::string> metrics() const override {
    std::vector<std::string> names = {score_name(), "diverged", "loss"};
    if (!options_.unseen.empty()) names.push_back(score_name() + "_unseen");
    return names;
  }

  std::vector<Score> test_scores(const ParamVector& weights, int part) override {
    network_policy_.use(weights);
    const EpisodeResult episode = trials_->run(static_cast<std::size_t>(part), policy_, options_.max_steps);
    const Score score{by_reward() ? episode.reward : episode.success ? 1.0 : 0.0, 1.0};
    const bool unseen = is_unseen(static_cast<std::size_t>(part));
    std::vector<Score> scores = {
        unseen ? Score{} : score, {episode.diverged ? 1.0 : 0.0, 1.0}, learner_->test_scores(weights, part).front()};
    if (!options_.unseen.empty()) scores.push_back(unseen ? score : Score{});
    return scores;
  }

  std::vector<NamedValue> summarize(std::span<const Score> scores) const override {
    std::vector<NamedValue> summary = Workload::summarize(scores);
    std::vector<int> tasks = options_.tasks;
    std::ranges::copy(options_.unseen, std::back_inserter(tasks));
    const std::size_t values = metrics().size();
    std::vector<double> rates(tasks.size(), 0.0);
    for (std::size_t part = 0; part < trials_->size(); ++part) {
      rates[part % tasks.size()] += scores[part * values + (is_unseen(part) ? values - 1 : 0)].sum;
    }
    for (double& rate : rates) rate /= options_.episodes;
    std::vector<double> sorted(rates.begin(), rates.begin() + static_cast<std::ptrdiff_t>(options_.tasks.size()));
    std::ranges::sort(sorted);
    summary.push_back({score_name() + "_task_p10", sorted[sorted.size() / 10]});
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      summary.push_back({cat(score_name(), '_', options_.suite->task(tasks[t]).name), rates[t]});
    }
    return summary;
  }

 private:
  [[nodiscard]] bool by_reward() const { return options_.suite->facts().score == Facts::Score::kReward; }
  [[nodiscard]] std::string score_name() const { return by_reward() ? "return" : "success"; }
  [[nodiscard]] bool is_unseen(std::size_t part) const {
    return part % (options_.tasks.size() + options_.unseen.size()) >= options_.tasks.size();
  }

  CloningOptions options_;
  std::shared_ptr<const ObservationEncoder> encoder_;
  std::unique_ptr<Workload> learner_;
  NetworkPolicy network_policy_;
  Policy policy_;  // of the network
  Trials* trials_;
};

/// Which of the tasks asked for each label of the file is.
std::vector<std::size_t> tasks_of_labels(const CloningRows& rows, const CloningOptions& options) {
  const std::vector<int>& tasks = options.tasks;
  std::vector<std::size_t> positions(rows.tasks.size(), 0);
  for (std::size_t label = 0; label < positions.size(); ++label) {
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      if (rows.tasks[label] == options.suite->label(tasks[t])) positions[label] = t;
    }
  }
  return positions;
}

/// Tasks of the test that no robot learns. ConfigError for one that is learned, or where policies are told which task
/// it is.
std::vector<int> read_unseen(SettingsReader& settings, const CloningOptions& options) {
  const char* const key = "evaluate.unseen";
  std::string names;
  settings.read(key, names, "Tasks that policies are tested on besides, though no robot learns them.");
  if (names.empty()) return {};
  const auto complain = [&](const std::string& why) { reject(key, settings.resolved().at(key), why); };
  if (options.one_hot) complain("with data.one_hot policies are told the number of a task, which these do not have");
  try {
    std::vector<int> unseen = options.suite->find_tasks(names);
    for (const int task : unseen) {
      if (std::ranges::find(options.tasks, task) == options.tasks.end()) continue;
      throw ConfigError(cat(options.suite->task(task).name, " is among data.tasks, which are learned"));
    }
    return unseen;
  } catch (const ConfigError& error) {
    complain(error.what());
  }
  return {};
}

}  // namespace

std::vector<float> sight_mark(const Suite& suite) {
  if (suite.sight().empty()) return {};
  std::vector<float> mark;
  for (std::uint64_t rest = Hash().add(suite.sight()).value(), i = 0; i < 4; ++i, rest >>= 16U) {
    mark.push_back(static_cast<float>(rest & 0xffffU));
  }
  return mark;
}

CloningOptions read_cloning_options(SettingsReader& settings, std::shared_ptr<const Suite> suite) {
  CloningOptions options{.suite = std::move(suite)};
  options.tasks = read_tasks(settings, *options.suite, true);
  settings.read("data.one_hot", options.one_hot, "Whether the observation says which task it is of, one-hot.");
  settings.read("data.test", options.test, between(0.01, 0.9),
                "Share of each task's demonstrations that imitation is tested on.");
  constexpr int kWindow = 16;
  const int longest = options.suite->most_steps();
  options.max_steps = longest;
  options.shape = choose_shape(settings, options.shapes(kWindow));
  if (options.shape.input == NetworkShape::Input::kSequence) {
    settings.read("data.window", options.shape.steps, between(1, longest),
                  "Steps that recurrent networks and transformers learn from at a time.");
  } else {
    settings.rule_out("data.window",
                      "an mlp sees one observation at a time; rnn, lstm, gru and transformer see windows");
  }
  if (options.suite->facts().unseen_tasks) options.unseen = read_unseen(settings, options);
  settings.read("evaluate.episodes", options.episodes, between(1, 10'000), "Episodes of each task in a test.");
  settings.read("evaluate.max_steps", options.max_steps, between(1, longest), "Longest episode, in steps.");
  options.partition = read_partition_options(settings);
  options.training = read_training_options(settings);
  return options;
}

std::vector<NetworkShape> CloningOptions::shapes(int window) const {
  const Facts& facts = suite->facts();
  const Sizes& sizes = suite->common_sizes(tasks);
  const NetworkShape single{.inputs = static_cast<int>(sizes.observation + (one_hot ? tasks.size() : 0)),
                            .outputs = static_cast<int>(sizes.action),
                            .hidden = kHidden};
  NetworkShape sequence = single;
  sequence.input = NetworkShape::Input::kSequence;
  sequence.steps = window;
  if (facts.cloud.points == 0) return {single, sequence};
  NetworkShape cloud = single;
  cloud.input = NetworkShape::Input::kPoints;
  for (NetworkShape* each : {&cloud, &sequence}) {
    each->points = static_cast<int>(facts.cloud.points);
    each->channels = static_cast<int>(facts.cloud.numbers);
  }
  return {cloud, single, sequence};
}

std::vector<EpisodeSpec> draw_test_episodes(const CloningOptions& options) {
  std::vector<EpisodeSpec> episodes;
  for (int number = 0; number < options.episodes; ++number) {
    for (const std::vector<int>* tasks : {&options.tasks, &options.unseen}) {
      for (const int task : *tasks) {
        RandomStream stream(options.training.seed, Purpose::kRollout, static_cast<std::uint64_t>(task),
                            static_cast<std::uint64_t>(number));
        episodes.push_back({.task = task, .variation = options.suite->draw(task, stream)});
      }
    }
  }
  return episodes;
}

std::unique_ptr<Workload> make_cloning_workload(const CloningOptions& options, const CloningView& data,
                                                std::shared_ptr<const Network> network, Trials& trials,
                                                EnvironmentPool& environments) {
  const NetworkShape& shape = options.shape;
  const std::size_t size = options.suite->common_sizes(options.tasks).observation;
  CloningSplit split = split_windows(*data.rows, *options.suite, options.tasks, options.test, std::max(1, shape.steps));
  const auto classes = static_cast<int>(options.tasks.size());
  std::vector<Shard> shards =
      partition(split.labels, classes, options.partition, options.training.seed, split.demonstrations);
  std::vector<std::vector<std::int64_t>> histograms;
  for (const Shard& shard : shards) histograms.push_back(histogram_of(shard, split.labels, classes));
  for (Shard& shard : shards) {  // from places in the split to first rows in the file
    for (std::vector<std::int32_t>* indices : {&shard.train, &shard.held_out}) {
      for (std::int32_t& index : *indices) index = split.train[static_cast<std::size_t>(index)];
    }
  }
  const ObservationMoments moments = moments_of(shards, data.observations, size, std::max(1, shape.steps));
  auto encoder = std::make_shared<const ObservationEncoder>(
      options.suite, ObservationScaling(moments, options.suite->facts().cloud), options.marked());
  const auto observe = [encoder, data, size, positions = tasks_of_labels(*data.rows, options)](std::int32_t index,
                                                                                               std::span<float> into) {
    const auto row = static_cast<std::size_t>(index);
    encoder->encode(data.observations.subspan(row * size, size), positions[data.rows->labels[row]], into);
  };
  const std::shared_ptr<Samples> samples = make_samples(Demonstrations{.actions = data.actions,
                                                                       .features = shape.inputs,
                                                                       .dimensions = shape.outputs,
                                                                       .window = shape.steps,
                                                                       .observe = observe});
  const auto own_trials = std::make_shared<RobotTrials>(options, encoder, network, histograms, environments);
  std::unique_ptr<Workload> learner = make_supervised_workload(
      {.train = samples,
       .test = samples,
       .groups = deal_to_parts(split, options.unseen.size(), static_cast<std::size_t>(options.episodes)),
       .objective = ObjectiveKind::kSquaredError,
       .shards = shards,
       .histogram = [all = std::move(histograms)](int i) { return all[static_cast<std::size_t>(i)]; },
       .network = network,
       .options = options.training,
       .trials = [own_trials](int robot, const ParamVector& weights, int episodes,
                              std::uint64_t draw) { return own_trials->run(robot, weights, episodes, draw); }});
  return std::make_unique<CloningWorkload>(options, std::move(encoder), std::move(learner), std::move(network), trials);
}

}  // namespace fleet::simulation
