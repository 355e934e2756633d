// fleet WORLD rollout
#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <optional>

#include "base/error.hpp"
#include "comm/agreement.hpp"
#include "command/option.hpp"
#include "simulation/command.hpp"
#include "simulation/command_options.hpp"
#include "simulation/film.hpp"
#include "simulation/network_policy.hpp"
#include "simulation/sight.hpp"
#include "torch/runtime.hpp"

namespace fleet::simulation {
namespace {

namespace po = boost::program_options;

constexpr int kPictureSize = 480;
constexpr int kEpisodes = 50;
constexpr const char* kExpert = "expert";

/// Where variations of a task come from.
enum class Goals { kBenchmark, kRandom };

Goals goals_of(const OptionsGiven& values, const Facts& facts) {
  if (facts.benchmark == 0) return Goals::kRandom;
  return values["goals"].as<std::string>() == "random" ? Goals::kRandom : Goals::kBenchmark;
}

std::vector<EpisodeSpec> rollout_jobs(const Suite& suite, const std::vector<int>& tasks, int episodes, Goals goals,
                                      std::uint32_t seed) {
  std::vector<EpisodeSpec> jobs;
  for (const int task : tasks) {
    std::vector<Variation> variations =
        goals == Goals::kBenchmark ? suite.benchmark(task, seed) : random_variations(suite, task, seed, episodes);
    variations.resize(static_cast<std::size_t>(episodes));
    for (Variation& variation : variations) jobs.push_back({.task = task, .variation = std::move(variation)});
  }
  return jobs;
}

/// What acts, and where.
SavedPolicy make_policy(const SuiteEntry& world, const OptionsGiven& values) {
  const auto name = values["policy"].as<std::string>();
  if (name == kExpert) return {.suite = make_suite(world, values), .policy = expert_policy()};
  if (!std::filesystem::exists(name)) {
    throw ConfigError(cat("--policy ", name,
                          ": there is no such file; expected expert, or a saved model, which a sweep ",
                          "leaves in DIR/models/CELL/merged.h5 with --set run.save_models=merged"));
  }
  for (const SuiteOption& option : world.options) {
    if (option.key != nullptr && option.name != std::string_view(kEncoderOption.name) && values.contains(option.name)) {
      throw ConfigError(cat("--", option.name, ": ", name, " says itself what it was trained with"));
    }
  }
  const bool moved = values.contains(kEncoderOption.name);
  return load_policy(name, world, files_of(world, values),
                     moved ? values[kEncoderOption.name].as<std::string>() : std::string());
}

void require_knows(const SavedPolicy& acting, const std::vector<int>& tasks, const std::string& name) {
  if (acting.only.empty()) return;
  std::string known;
  for (const int task : acting.only) known += cat(known.empty() ? "" : ", ", acting.suite->task(task).name);
  for (const int task : tasks) {
    if (std::ranges::count(acting.only, task) > 0) continue;
    throw ConfigError(cat("--policy ", name, " was trained on ", known, ", and cannot act in ",
                          acting.suite->task(task).name, ", which has other observations and actions"));
  }
}

/// What is asked for on the command line.
struct RolloutPlan {
  SavedPolicy acting;
  std::vector<int> tasks;
  int steps = 0;
  std::vector<EpisodeSpec> jobs;
};

RolloutPlan plan_rollout(const SuiteEntry& world, const OptionsGiven& values) {
  const Facts facts = usual_suite(world)->facts();
  const Goals goals = goals_of(values, facts);
  const int episodes = values["episodes"].as<int>();
  if (goals == Goals::kBenchmark && episodes > facts.benchmark) {
    throw ConfigError(cat("--episodes ", episodes, ": the benchmark has ", facts.benchmark,
                          " goals a task; with --goals random there are as many as you like"));
  }
  const std::uint32_t seed = seed_of(values);
  SavedPolicy acting = make_policy(world, values);
  const std::vector<int> tasks = acting.suite->find_tasks(values["TASKS"].as<std::string>());
  require_knows(acting, tasks, values["policy"].as<std::string>());
  std::vector<EpisodeSpec> jobs = rollout_jobs(*acting.suite, tasks, episodes, goals, seed);
  const int steps = values["steps"].defaulted() ? acting.suite->most_steps() : values["steps"].as<int>();
  return {.acting = std::move(acting), .tasks = tasks, .steps = steps, .jobs = std::move(jobs)};
}

/// Runs the episodes here, one after another, with pictures. Interrupted between two steps where a stop is requested.
std::vector<EpisodeResult> render(const RolloutPlan& plan, EnvironmentPool& environments, const Comm& world,
                                  const std::string& path) {
  if (world.size() > 1) throw ConfigError("--render: pictures are drawn by one rank; start it without mpirun");
  const Suite& suite = *plan.acting.suite;
  const Facts& facts = suite.facts();
  Film film(path, facts);
  std::vector<EpisodeResult> results;
  for (const EpisodeSpec& job : plan.jobs) {
    Environment& environment = environments.environment(job.task);
    environment.reset(job.variation);
    Renderer renderer(environment, facts.camera, kPictureSize, kPictureSize);
    Renderer::place(environment);
    film.add(renderer.draw(environment));
    int step = 0;
    if (facts.pictures_per_step > 1) environment.watch_motion([&] { film.add(renderer.draw(environment)); });
    const auto draw = [&](Environment& now, const StepResult&) {
      if (world.stop_requested()) throw Interrupted();
      const bool due = facts.pictures_per_step == 1 && ++step % facts.steps_per_picture == 0;
      if (due) film.add(renderer.draw(now));
    };
    results.push_back(roll_out(environment, suite.sizes(job.task).action, plan.acting.policy, draw,
                               std::min(plan.steps, suite.task(job.task).steps)));
    environment.watch_motion({});
  }
  film.finish();
  std::cout << film.pictures() << " pictures in " << path << '\n';
  return results;
}

/// Of the episodes of a task.
struct TaskTally {
  int successes = 0;
  int steps = 0;  ///< of the successes, or of all where there is no success
  int diverged = 0;
  int lost = 0;
  double reward = 0;
};

TaskTally tally(std::span<const EpisodeResult> results, bool by_reward) {
  TaskTally sum;
  for (const EpisodeResult& result : results) {
    sum.successes += result.success ? 1 : 0;
    sum.steps += result.success || by_reward ? result.steps : 0;
    sum.diverged += result.diverged ? 1 : 0;
    sum.lost += result.lost ? 1 : 0;
    sum.reward += result.reward;
  }
  return sum;
}

void print_results(const Suite& suite, const std::vector<int>& tasks, std::span<const EpisodeResult> results) {
  const bool by_reward = suite.facts().score == Facts::Score::kReward;
  const std::size_t episodes = results.size() / tasks.size();
  double mean = 0;
  std::cout << std::left << std::setw(28) << "task" << (by_reward ? "return  " : "success  ") << "mean steps\n";
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const TaskTally sum = tally(results.subspan(i * episodes, episodes), by_reward);
    mean += (by_reward ? sum.reward : sum.successes) / static_cast<double>(results.size());
    std::cout << std::left << std::setw(28) << suite.task(tasks[i]).name;
    if (by_reward) {
      std::cout << std::setw(8) << cat(std::lround(sum.reward / static_cast<double>(episodes)))
                << sum.steps / static_cast<int>(episodes);
    } else {
      std::cout << std::right << std::setw(3) << sum.successes << '/' << std::left << std::setw(5) << episodes
                << (sum.successes > 0 ? cat(sum.steps / sum.successes) : "-");
    }
    if (sum.diverged > 0) std::cout << "  (" << sum.diverged << " diverged)";
    if (sum.lost > 0) std::cout << "  (" << sum.lost << " without a plan)";
    std::cout << '\n';
  }
  std::cout << std::fixed << std::setprecision(1);
  if (by_reward) {
    std::cout << "mean return " << mean << std::endl;
  } else {
    std::cout << "mean success " << 100 * mean << " %" << std::endl;
  }
}

/// Of each task with episodes that the expert had no plan for, why, in the first of them.
void explain_losses(const RolloutPlan& plan, std::span<const EpisodeResult> results, EnvironmentPool& environments) {
  int explained = -1;
  for (std::size_t i = 0; i < results.size(); ++i) {
    const EpisodeSpec& job = plan.jobs[i];
    if (!results[i].lost || job.task == explained) continue;
    explained = job.task;
    Environment& environment = environments.environment(job.task);
    environment.reset(job.variation);
    std::vector<float> action(plan.acting.suite->sizes(job.task).action);
    if (environment.ask_expert(action)) continue;
    const std::string why = environment.why_lost();
    if (!why.empty()) std::cout << plan.acting.suite->task(job.task).name << ": no plan, as " << why << std::endl;
  }
}

}  // namespace

OptionTexts rollout_options(const SuiteEntry& world) {
  const std::shared_ptr<const Suite> usual = usual_suite(world);
  OptionTexts options;
  options.add_options()("policy", po::value<std::string>()->default_value(kExpert),
                        "who acts: expert, or a model saved by a sweep, MODEL.h5");
  options.add_options()("episodes", integer(between(1, 1e6), kEpisodes), "episodes of each task");
  if (usual->facts().benchmark > 0) {
    options.add_options()("goals", one_of({"benchmark", "random"}, "benchmark"),
                          "benchmark: the published ones with this seed; random: as many others as there are episodes");
  }
  add_seed_option(options);
  options.add_options()("steps", integer(between(1, 1e6), usual->most_steps()),
                        "of an episode at most, as a task has them by default; sweeps have evaluate.max_steps");
  if (usual->facts().pictures) {
    options.add_options()("render", po::value<std::string>(),
                          "draw them: a folder for PNG pictures, or a film NAME.mp4");
  }
  add_suite_options(options, world);
  return options;
}

int run_rollout(const SuiteEntry& world, const Call& call) {
  set_threads(1);  // ranks share the episodes
  const Comm& comm = *call.ranks;
  std::optional<RolloutPlan> plan;
  std::optional<EnvironmentPool> environments;
  const bool drawn = call.has("render");
  comm.together([&] {  // a rank may lack the policy's file, or a scene
    plan = plan_rollout(world, call.values);
    environments.emplace(*plan->acting.suite, drawn ? Suite::Detail::kVisual : Suite::Detail::kPhysics);
    environments->prepare(plan->tasks);
  });
  const Suite& suite = *plan->acting.suite;
  require_same(comm, "scenes and policy", identity_of(suite, call.get("policy")));
  if (drawn) {
    const std::vector<EpisodeResult> results = render(*plan, *environments, comm, call.get("render"));
    print_results(suite, plan->tasks, results);
    explain_losses(*plan, results, *environments);
    return 0;
  }
  Trials trials(plan->jobs, *environments);
  const std::vector<EpisodeResult> results = evaluate(trials, plan->acting.policy, plan->steps, comm);
  if (comm.is_root()) {
    print_results(suite, plan->tasks, results);
    explain_losses(*plan, results, *environments);
  }
  return 0;
}

}  // namespace fleet::simulation
