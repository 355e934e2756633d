#include "metaworld/recorder.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "metaworld/experts.hpp"
#include "metaworld/goals.hpp"

namespace fleet::metaworld {
namespace {

constexpr double kCalmer = 0.8;      // what a failure multiplies the noise by
constexpr int kCleanEvery = 4;       // of so many episodes one is recorded without noise
constexpr double kBurstRate = 0.02;  // probability that a burst begins at a step
constexpr int kBurstSteps = 8;       // during which the hand is pushed one way
constexpr std::size_t kHeader = 4;   // an episode on its way to the root: number, steps, noise, attempts

/// What disturbs the hand in one episode: independent normal noise, and now and then a push that lasts.
class ActionNoise {
 public:
  ActionNoise(double deviation, RandomStream& stream) : deviation_(deviation), stream_(&stream) {}

  [[nodiscard]] Action add_to(Action action) {
    if (deviation_ == 0) return action;
    if (burst_left_ == 0 && stream_->uniform() < kBurstRate) {
      burst_left_ = kBurstSteps;
      for (double& push : push_) push = 2 * stream_->uniform() - 1;
    }
    for (std::size_t i = 0; i < push_.size(); ++i) {
      const double push = burst_left_ > 0 ? push_[i] : 0;
      action[i] += static_cast<float>(deviation_ * stream_->normal() + push);
    }
    burst_left_ = std::max(0, burst_left_ - 1);
    return action;
  }

 private:
  double deviation_;
  RandomStream* stream_;
  int burst_left_ = 0;
  std::array<double, 3> push_{};
};

template <std::size_t N, class T>
void append(std::vector<float>& to, const std::array<T, N>& values) {
  for (const T value : values) to.push_back(static_cast<float>(value));
}

Demonstration attempt(Environment& environment, double deviation, RandomStream& stream) {
  const TaskSpec& task = environment.scene().task();
  Demonstration episode{.task = cat(task.name, "-v3"), .noise = deviation};
  environment.reset(draw_variation(task, stream));
  ActionNoise noise(deviation, stream);
  append(episode.observations, environment.observation());
  const EpisodeResult result = roll_out(
      environment,
      [&](const TaskSpec&, const Observation& observation) {
        Action wanted = expert_action(task, observation);
        for (float& value : wanted) value = std::clamp(value, -1.0F, 1.0F);
        append(episode.actions, wanted);
        return noise.add_to(wanted);
      },
      [&](const Environment&) {
        append(episode.observations, environment.observation());
        episode.rewards.push_back(0);
      });
  episode.success = result.success;
  episode.rewards.back() = result.success ? 1 : 0;
  return episode;
}

Demonstration record(Environment& environment, int task, int number, const RecordingOptions& options) {
  RandomStream stream(options.seed, Purpose::kDemonstration, static_cast<std::uint64_t>(task),
                      static_cast<std::uint64_t>(number));
  const bool clean = number % kCleanEvery == kCleanEvery - 1;
  double deviation = clean ? 0 : options.noise * stream.uniform();
  for (int k = 1; k <= options.attempts; ++k) {
    Demonstration episode = attempt(environment, deviation, stream);
    episode.attempts = k;
    if (episode.success) return episode;
    deviation *= kCalmer;
  }
  throw Error(cat("the expert failed at ", environment.scene().task().name, " ", options.attempts, " times in a row",
                  options.noise > 0 ? cat("; lower the noise (--noise ", options.noise, ")") : ""));
}

/// Episodes as numbers, to travel.
void pack(std::size_t number, const Demonstration& episode, std::vector<double>& headers, std::vector<float>& steps) {
  headers.insert(headers.end(), {static_cast<double>(number), static_cast<double>(episode.steps()), episode.noise,
                                 static_cast<double>(episode.attempts)});
  for (const std::vector<float>* part : {&episode.observations, &episode.actions, &episode.rewards}) {
    steps.insert(steps.end(), part->begin(), part->end());
  }
}

std::vector<Demonstration> unpack(std::span<const int> tasks, int per_task, const std::vector<double>& headers,
                                  const std::vector<float>& steps) {
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
    Demonstration& episode = episodes[number];
    episode = {.task = cat(task_of(task).name, "-v3"),
               .observations = take((length + 1) * kObservationSize),
               .actions = take(length * kActionSize),
               .rewards = take(length),
               .success = true,
               .noise = headers[row + 2],
               .attempts = static_cast<int>(headers[row + 3])};
  }
  return episodes;
}

}  // namespace

std::vector<Demonstration> record_demonstrations(std::span<const int> tasks, const RecordingOptions& options,
                                                 EnvironmentPool& environments, const Comm& comm) {
  std::vector<double> headers;
  std::vector<float> steps;
  const auto per_task = static_cast<std::size_t>(options.episodes);
  comm.together([&] {
    const auto ranks = static_cast<std::size_t>(comm.size());
    for (auto i = static_cast<std::size_t>(comm.rank()); i < tasks.size() * per_task; i += ranks) {
      if (comm.stop_requested()) return;
      const int task = tasks[i / per_task];
      pack(i, record(environments.environment(task), task, static_cast<int>(i % per_task), options), headers, steps);
    }
  });
  headers = comm.all_gather(headers);
  steps = comm.gather(steps);
  return comm.is_root() ? unpack(tasks, options.episodes, headers, steps) : std::vector<Demonstration>{};
}

}  // namespace fleet::metaworld
