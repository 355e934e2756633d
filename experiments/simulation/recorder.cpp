#include "simulation/recorder.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"

namespace fleet::simulation {
namespace {

constexpr double kCalmer = 0.8;      // what a failure multiplies the noise by
constexpr int kCleanEvery = 4;       // of so many episodes one is recorded without noise
constexpr double kBurstRate = 0.02;  // probability that a burst begins at a step
constexpr int kBurstSteps = 8;       // during which the hand is pushed one way
constexpr std::size_t kHeader = 5;   // an episode on its way to the root: number, steps, noise, attempts, ended

/// What disturbs the robot in one episode: independent normal noise, and now and then a push that lasts.
class ActionNoise {
 public:
  /// Of the first `disturbed` numbers of an action.
  ActionNoise(std::size_t disturbed, double deviation, RandomStream& stream)
      : deviation_(deviation), stream_(&stream), push_(disturbed) {}

  void add_to(std::span<float> action) {
    if (deviation_ == 0) return;
    if (burst_left_ == 0 && stream_->uniform() < kBurstRate) {
      burst_left_ = kBurstSteps;
      for (double& push : push_) push = 2 * stream_->uniform() - 1;
    }
    for (std::size_t i = 0; i < push_.size(); ++i) {
      const double push = burst_left_ > 0 ? push_[i] : 0;
      action[i] += static_cast<float>(deviation_ * stream_->normal() + push);
    }
    burst_left_ = std::max(0, burst_left_ - 1);
  }

 private:
  double deviation_;
  RandomStream* stream_;
  int burst_left_ = 0;
  std::vector<double> push_;
};

template <class Numbers>
void append(std::vector<float>& to, const Numbers& values) {
  for (const auto value : values) to.push_back(static_cast<float>(value));
}

/// Keeps what comes of each step in `episode`.
Watch keep_in(Demonstration& episode) {
  return [&episode](Environment& environment, const StepResult& step) {
    append(episode.observations, environment.observation());
    episode.rewards.push_back(static_cast<float>(step.reward));
  };
}

/// Nothing if the expert fails.
std::optional<Demonstration> attempt(const Suite& suite, Environment& environment, double deviation,
                                     RandomStream& stream) {
  const Facts& facts = suite.facts();
  const Task& task = suite.task(environment.task());
  Demonstration episode{.task = suite.label(environment.task()), .noise = deviation};
  environment.reset(suite.draw(environment.task(), stream));
  ActionNoise noise(facts.disturbed, deviation, stream);
  append(episode.observations, environment.observation());
  const auto act = [&](Environment&, std::span<float> action) {
    if (!environment.ask_expert(action)) return false;
    for (float& value : action) value = std::clamp(value, -1.0F, 1.0F);
    append(episode.actions, action);
    if (!environment.delicate()) noise.add_to(action);
    return true;
  };
  const EpisodeResult result =
      roll_out(environment, suite.sizes(environment.task()).action, act, keep_in(episode), task.steps);
  const bool lasted = facts.score == Facts::Score::kReward && !result.diverged && !result.lost;
  if (!result.success && !lasted) return std::nullopt;
  episode.ended = result.success || result.terminated;
  return episode;
}

Demonstration record(const Suite& suite, Environment& environment, int number, const RecordingOptions& options) {
  const int task = environment.task();
  RandomStream stream(options.seed, Purpose::kDemonstration, static_cast<std::uint64_t>(task),
                      static_cast<std::uint64_t>(number));
  const bool clean = number % kCleanEvery == kCleanEvery - 1;
  double deviation = clean ? 0 : options.noise * stream.uniform();
  for (int k = 1; k <= options.attempts; ++k) {
    if (std::optional<Demonstration> episode = attempt(suite, environment, deviation, stream)) {
      episode->attempts = k;
      return *std::move(episode);
    }
    deviation *= kCalmer;
  }
  const std::string why = environment.why_lost();
  throw Error(cat("the expert failed at ", suite.task(task).name, " ", options.attempts, " times in a row",
                  !why.empty()        ? cat("; it had no plan: ", why)
                  : options.noise > 0 ? cat("; lower the noise (--noise ", options.noise, ")")
                                      : ""));
}

Demonstration play(const Suite& suite, Environment& environment, const Policy& policy, const PlayedOptions& options,
                   std::uint64_t number) {
  const int task = environment.task();
  RandomStream stream(options.seed, Purpose::kDemonstration, static_cast<std::uint64_t>(task), number);
  Demonstration episode{.task = suite.label(task), .noise = options.noise * stream.uniform()};
  environment.reset(suite.draw(task, stream));
  append(episode.observations, environment.observation());
  const Policy acting{[&](Environment& now, std::span<float> action) {
                        if (!policy(now, action)) return false;
                        for (float& value : action) {
                          value += static_cast<float>(episode.noise * stream.normal());
                          value = std::clamp(value, -1.0F, 1.0F);
                        }
                        append(episode.actions, action);
                        return true;
                      },
                      [&](const Environment& now) { policy.begin(now); },
                      [&](const StepResult& step) { policy.hear(step); }};
  const EpisodeResult result =
      roll_out(environment, suite.sizes(task).action, acting, keep_in(episode), suite.task(task).steps);
  require(!result.diverged, "the simulator met something not finite in episode ", number, " of ",
          suite.task(task).name);
  episode.ended = result.success || result.terminated;
  return episode;
}

/// Episodes as numbers, to travel.
void pack(std::size_t number, const Demonstration& episode, std::vector<double>& headers, std::vector<float>& steps) {
  headers.insert(headers.end(), {static_cast<double>(number), static_cast<double>(episode.steps()), episode.noise,
                                 static_cast<double>(episode.attempts), episode.ended ? 1.0 : 0.0});
  for (const std::vector<float>* part : {&episode.observations, &episode.actions, &episode.rewards}) {
    steps.insert(steps.end(), part->begin(), part->end());
  }
}

std::vector<Demonstration> unpack(const Suite& suite, std::span<const int> tasks, int per_task,
                                  const std::vector<double>& headers, const std::vector<float>& steps) {
  std::vector<Demonstration> episodes(headers.size() / kHeader);
  auto at = steps.begin();
  const auto take = [&](std::size_t count) {
    const auto from = at;
    at += static_cast<std::ptrdiff_t>(count);
    return std::vector<float>(from, at);
  };
  for (std::size_t row = 0; row < headers.size(); row += kHeader) {
    const auto number = static_cast<std::size_t>(headers[row]);
    const auto length = static_cast<std::size_t>(headers[row + 1]);
    const int task = tasks[number / static_cast<std::size_t>(per_task)];
    const Sizes& sizes = suite.sizes(task);
    Demonstration& episode = episodes[number];
    episode = {.task = suite.label(task),
               .observations = take((length + 1) * sizes.observation),
               .actions = take(length * sizes.action),
               .rewards = take(length),
               .ended = headers[row + 4] != 0,
               .noise = headers[row + 2],
               .attempts = static_cast<int>(headers[row + 3])};
  }
  return episodes;
}

}  // namespace

std::vector<Demonstration> record_demonstrations(std::span<const int> tasks, const RecordingOptions& options,
                                                 EnvironmentPool& environments, const Comm& comm) {
  const Suite& suite = environments.suite();
  std::vector<double> headers;
  std::vector<float> steps;
  const auto per_task = static_cast<std::size_t>(options.episodes);
  comm.together([&] {
    const auto ranks = static_cast<std::size_t>(comm.size());
    for (auto i = static_cast<std::size_t>(comm.rank()); i < tasks.size() * per_task; i += ranks) {
      if (comm.stop_requested()) return;
      const int task = tasks[i / per_task];
      pack(i, record(suite, environments.environment(task), static_cast<int>(i % per_task), options), headers, steps);
    }
  });
  headers = comm.all_gather(headers);
  steps = comm.gather(steps);
  return comm.is_root() ? unpack(suite, tasks, options.episodes, headers, steps) : std::vector<Demonstration>{};
}

std::vector<Demonstration> record_play(int task, std::span<const Policy> policies, const PlayedOptions& options,
                                       EnvironmentPool& environments, const Comm& comm) {
  constexpr std::size_t kBlock = 16;  // episodes between two looks at how many steps there are
  const Suite& suite = environments.suite();
  std::vector<Demonstration> all;
  std::int64_t recorded = 0;  // known to all ranks
  for (std::uint64_t first = 0; recorded < options.steps; first += kBlock) {
    std::vector<double> headers;
    std::vector<float> steps;
    comm.together([&] {
      for (auto i = static_cast<std::size_t>(comm.rank()); i < kBlock; i += static_cast<std::size_t>(comm.size())) {
        if (comm.stop_requested()) throw Interrupted();
        const std::uint64_t number = first + i;
        pack(i, play(suite, environments.environment(task), policies[number % policies.size()], options, number),
             headers, steps);
      }
    });
    headers = comm.all_gather(headers);
    steps = comm.gather(steps);
    std::vector<std::int64_t> lengths(kBlock);
    for (std::size_t row = 0; row < headers.size(); row += kHeader) {
      lengths[static_cast<std::size_t>(headers[row])] = static_cast<std::int64_t>(headers[row + 1]);
    }
    std::vector<Demonstration> block;
    if (comm.is_root()) block = unpack(suite, std::span(&task, 1), kBlock, headers, steps);
    for (std::size_t i = 0; i < kBlock && recorded < options.steps; ++i) {
      recorded += lengths[i];
      if (comm.is_root()) all.push_back(std::move(block[i]));
    }
  }
  return all;
}

}  // namespace fleet::simulation
