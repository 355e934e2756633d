#include "simulation/online.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data_complaint.hpp"
#include "simulation/network_policy.hpp"
#include "torch/device.hpp"
#include "train/shared_keys.hpp"

namespace fleet::simulation {
namespace {

constexpr std::array kHidden = {64, 64};

/// What a robot's body has in place of the ones with which a variation ends.
void embody(const PlayOptions& options, int robot, Variation& variation) {
  RandomStream stream(options.training.seed, Purpose::kBody, static_cast<std::uint64_t>(robot));
  const std::size_t body = options.suite->facts().body;
  for (std::size_t i = variation.size() - body; i < variation.size(); ++i) {
    variation[i] *= std::exp(options.spread * (2 * stream.uniform() - 1));
  }
}

int task_of(const PlayOptions& options, int robot) {
  return options.tasks[static_cast<std::size_t>(robot) % options.tasks.size()];
}

int longest_of(const PlayOptions& options) {
  int longest = 0;
  for (const int task : options.tasks) longest = std::max(longest, options.suite->task(task).steps);
  return longest;
}

/// What networks see, the one that "model.kind" names: an observation or, in order, those of an episode.
NetworkShape read_shape(SettingsReader& settings, const Sizes& sizes, int longest) {
  const NetworkShape single{
      .inputs = static_cast<int>(sizes.observation), .outputs = static_cast<int>(sizes.action), .hidden = kHidden};
  NetworkShape sequence = single;
  sequence.input = NetworkShape::Input::kSequence;
  sequence.steps = std::min(16, longest);
  NetworkShape shape = choose_shape(settings, std::array{single, sequence});
  const Value& kind = settings.resolved().at("model.kind").value;
  if (kind == Value(std::string("transformer"))) {
    settings.read("data.window", shape.steps, between(1, longest), "Last steps that a transformer sees.");
  } else {
    settings.rule_out("data.window",
                      "an mlp sees one observation at a time, and rnn, lstm and gru all since an episode began; "
                      "transformer sees windows");
  }
  return shape;
}

/// Robots that play in the world's environments.
class Playground {
 public:
  Playground(const PlayOptions& options, std::shared_ptr<const Network> network, EnvironmentPool& environments)
      : options_(options),
        encoder_(std::make_shared<const ObservationEncoder>(
            options.suite, ObservationScaling(options.suite->common_sizes(options.tasks).observation),
            std::vector<int>{})),
        network_policy_(encoder_, std::move(network), options.shape),
        policy_(network_policy_.policy()),
        environments_(&environments),
        tests_(draw_play_tests(options), environments) {}

  /// Play.
  std::vector<Played> play(int robot, std::uint64_t first, int count, const Act& act) {
    const int task = task_of(options_, robot);
    const std::vector<Environment*> environments = environments_->side_by_side(task, static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < environments.size(); ++i) {
      RandomStream stream(options_.training.seed, Purpose::kEpisode, static_cast<std::uint64_t>(robot), first + i);
      Variation variation = options_.suite->draw(task, stream);
      embody(options_, robot, variation);
      environments[i]->reset(variation);
    }
    return play_episodes(environments, options_.suite->sizes(task).action, *encoder_, act, options_.max_steps);
  }

  std::vector<Score> test(const ParamVector& weights, int part) {
    network_policy_.use(weights);
    const EpisodeResult episode = tests_.run(static_cast<std::size_t>(part), policy_, options_.max_steps);
    return {{episode.reward, 1.0}, {episode.diverged ? 1.0 : 0.0, 1.0}};
  }

  /// TrialRunner.
  Score try_out(int robot, const ParamVector& weights, int episodes, std::uint64_t draw) {
    network_policy_.use(weights);
    const int task = task_of(options_, robot);
    RandomStream stream(options_.training.seed, Purpose::kTrial, static_cast<std::uint64_t>(robot), draw);
    Score score;
    for (int i = 0; i < episodes; ++i) {
      Variation variation = options_.suite->draw(task, stream);
      embody(options_, robot, variation);
      Environment& environment = environments_->environment(task);
      environment.reset(variation);
      score.sum += roll_out(environment, options_.suite->sizes(task).action, policy_, {}, options_.max_steps).reward;
      score.samples += 1.0;
    }
    return score;
  }

  [[nodiscard]] int tests() const { return static_cast<int>(tests_.size()); }

 private:
  PlayOptions options_;
  std::shared_ptr<const ObservationEncoder> encoder_;
  NetworkPolicy network_policy_;
  Policy policy_;  // of the network
  EnvironmentPool* environments_;
  Trials tests_;
};

class PlayWorld final : public World {
 public:
  explicit PlayWorld(const SuiteEntry& entry) : entry_(entry) {}

  void survey(SettingsReader& settings) override {
    const PlayOptions options = read_play_options(settings, entry_.make(settings, {}));
    (void)make_network(settings, options.shape);
    (void)read_online_options(settings, !options.chooses);  // what other tasks of the world read
  }

  CellFacts describe(SettingsReader& settings) override {
    const PlayOptions options = read_play_options(settings, entry_.make(settings, {}));
    const std::shared_ptr<const Network> network = make_network(settings, options.shape);
    check_norm(settings, options.online);
    prepare(options);
    const Suite& suite = *options.suite;
    const auto parameters = static_cast<std::int64_t>(parameter_count(*network));
    const auto gradient = parameters * static_cast<std::int64_t>(sizeof(float));
    return {.parameters = parameters,
            .layout = layout_of(*network),
            .maps = maps_of(network),
            .train_samples = static_cast<std::int64_t>(options.robots) * options.online.samples_per_epoch(),
            .offers = Questions::all(),
            .held_out = false,
            .gathers = true,
            .rank_bytes = suite.facts().task_bytes * std::ssize(options.tasks) * options.online.environments +
                          options.online.batch_bytes(options.shape, options.chooses, options.max_steps),
            .robot_bytes = gradient + options.online.robot_bytes(options.shape, options.chooses, options.max_steps),
            .data = Hash().add(suite.digest()).add(suite.engine()).hex(),
            .data_keys = {std::string(suite.facts().files_key)}};
  }

  /// Robots gather their data themselves.
  void load(std::span<const Settings* const> /*cells*/, const Comm& /*run*/) override {}

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const PlayOptions options = read_play_options(settings, entry_.make(settings, {}));
    return make_play_workload(options, make_network(settings, options.shape), prepare(options));
  }

 private:
  /// Whoever acts by running statistics and learns by a batch's has two policies, and PPO compares them.
  static void check_norm(const SettingsReader& settings, const OnlineOptions& online) {
    if (online.gradient != PolicyGradient::kProximal) return;
    const auto norm = settings.resolved().find(std::string_view("model.norm"));
    if (norm == settings.resolved().end() || norm->second.value != Value(std::string("batch"))) return;
    reject_read(settings, "model.norm", "expected \"none\" or \"layer\" for train.gradient = \"ppo\"");
  }

  /// Environments of the cell's tasks. ConfigError where files of theirs are missing or damaged.
  EnvironmentPool& prepare(const PlayOptions& options) {
    const std::string configuration = options.suite->configuration();
    const auto& suite = suites_.try_emplace(configuration, options.suite).first->second;
    EnvironmentPool& environments = environments_.try_emplace(configuration, *suite).first->second;
    try {
      environments.prepare(options.tasks);
    } catch (const Error& error) {
      throw ConfigError(error.what());
    }
    return environments;
  }

  const SuiteEntry& entry_;
  // By configuration of the suite.
  std::map<std::string, std::shared_ptr<const Suite>> suites_;
  std::map<std::string, EnvironmentPool> environments_;
};

}  // namespace

PlayOptions read_play_options(SettingsReader& settings, std::shared_ptr<const Suite> suite) {
  PlayOptions options{.suite = std::move(suite)};
  const Suite& world = *options.suite;
  options.tasks = read_tasks(settings, *options.suite, true);
  const Sizes& sizes = world.common_sizes(options.tasks);
  options.chooses = world.task(options.tasks.front()).chooses;
  options.shape = read_shape(settings, sizes, longest_of(options));
  settings.read("fleet.robots", options.robots, between(1, 1e6), about::kRobots);
  settings.read("fleet.spread", options.spread, between(0, 2),
                "How far robots' bodies differ: factors e^u of masses, lengths and forces, u uniform up to this.");
  for (const char* key : {"fleet.partition", "fleet.alpha", "data.held_out", "data.demos", "train.batch_size"}) {
    settings.rule_out(key, "robots of this workload gather their own data");
  }
  options.max_steps = longest_of(options);
  settings.read("evaluate.episodes", options.episodes, between(1, 10'000), "Episodes of each task in a test.");
  settings.read("evaluate.max_steps", options.max_steps, between(1, options.max_steps), "Longest episode, in steps.");
  options.training = read_descent_options(settings);
  if (options.training.device != DeviceKind::kCpu) {
    reject("run.device", settings.resolved().at("run.device"),
           "robots that act for every step they learn from compute on processors; expected \"cpu\"");
  }
  options.online = read_online_options(settings, options.chooses);
  if (options.shape.input == NetworkShape::Input::kSequence && options.online.gradient != PolicyGradient::kReinforce) {
    reject("model.kind", settings.resolved().at("model.kind"),
           "robots whose train.gradient is \"search\" or \"ppo\" see one observation at a time; expected \"mlp\", or "
           "train.gradient = \"reinforce\"");
  }
  return options;
}

std::vector<Played> play_episodes(std::span<Environment* const> environments, std::size_t action_size,
                                  const ObservationEncoder& encoder, const Act& act, int max_steps) {
  const std::size_t features = encoder.scaling().size();
  std::vector<Played> played(environments.size());
  std::vector<bool> over(environments.size());
  std::vector<float> seen(features);
  std::vector<float> inputs(environments.size() * features);
  std::vector<float> actions(environments.size() * action_size);
  const auto see = [&](std::size_t episode) {
    std::ranges::transform(environments[episode]->observation(), seen.begin(),
                           [](double value) { return static_cast<float>(value); });
    const std::span<float> input = std::span(inputs).subspan(episode * features, features);
    encoder.encode(seen, 0, input);
    return input;
  };
  for (int step = 0; step < max_steps && std::ranges::find(over, false) != over.end(); ++step) {
    for (std::size_t i = 0; i < environments.size(); ++i) {
      if (!over[i]) (void)see(i);
    }
    act(inputs, actions);
    for (std::size_t i = 0; i < environments.size(); ++i) {
      if (over[i]) continue;
      const StepResult result = environments[i]->step(std::span(actions).subspan(i * action_size, action_size));
      played[i].rewards.push_back(static_cast<float>(result.reward));
      over[i] = result.over();
    }
  }
  for (std::size_t i = 0; i < environments.size(); ++i) {
    if (over[i]) continue;
    const std::span<float> beyond = see(i);
    played[i].beyond.assign(beyond.begin(), beyond.end());
  }
  return played;
}

std::vector<EpisodeSpec> draw_play_tests(const PlayOptions& options) {
  std::vector<EpisodeSpec> episodes;
  for (int number = 0; number < options.episodes; ++number) {
    for (const int task : options.tasks) {
      RandomStream stream(options.training.seed, Purpose::kRollout, static_cast<std::uint64_t>(task),
                          static_cast<std::uint64_t>(number));
      EpisodeSpec& episode = episodes.emplace_back(task, options.suite->draw(task, stream));
      embody(options, number % options.robots, episode.variation);
    }
  }
  return episodes;
}

std::unique_ptr<Workload> make_play_workload(const PlayOptions& options, std::shared_ptr<const Network> network,
                                             EnvironmentPool& environments) {
  const auto ground = std::make_shared<Playground>(options, network, environments);
  return make_online_workload(
      {.robots = options.robots,
       .network = std::move(network),
       .shape = options.shape,
       .chooses = options.chooses,
       .training = options.training,
       .online = options.online,
       .play = [ground](int robot, std::uint64_t first, int count,
                        const Act& act) { return ground->play(robot, first, count, act); },
       .trials = [ground](int robot, const ParamVector& weights, int episodes,
                          std::uint64_t draw) { return ground->try_out(robot, weights, episodes, draw); },
       .test_parts = ground->tests(),
       .metrics = {"return", "diverged"},
       .test = [ground](const ParamVector& weights, int part) { return ground->test(weights, part); }});
}

std::unique_ptr<World> make_play_world(const SuiteEntry& entry) {
  return std::make_unique<PlayWorld>(entry);
}

}  // namespace fleet::simulation
