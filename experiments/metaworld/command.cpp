#include "metaworld/command.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "comm/agreement.hpp"
#include "io/hdf5.hpp"
#include "metaworld/experts.hpp"
#include "metaworld/film.hpp"
#include "metaworld/goals.hpp"
#include "metaworld/minari.hpp"
#include "metaworld/network_policy.hpp"
#include "metaworld/recorder.hpp"

namespace fleet {
namespace {

using namespace metaworld;
namespace po = boost::program_options;

constexpr std::int64_t kLargestGoalSeed = 0xffffffff;  // as the reference's generator takes them
constexpr int kPictureSize = 480;
constexpr int kStepsPerPicture = 2;  // of 80 a second, so that the film runs in real time

std::string assets_of(const po::variables_map& values) {
  return values.contains("assets") ? values["assets"].as<std::string>() : default_assets().string();
}

std::int64_t seed_of(const po::variables_map& values, std::int64_t largest) {
  const auto seed = values["seed"].as<std::int64_t>();
  if (seed < 0 || seed > largest) throw ConfigError(cat("--seed ", seed, ": expected 0 to ", largest));
  return seed;
}

int positive(const po::variables_map& values, const char* name) {
  const int value = values[name].as<int>();
  if (value < 1) throw ConfigError(cat("--", name, " ", value, ": expected 1 or more"));
  return value;
}

/// Differs where ranks have found other scenes, or another policy in `file`.
std::string identity_of(const EnvironmentPool& environments, const std::filesystem::path& file = {}) {
  std::ifstream in(file, std::ios::binary);  // of an expert, none
  const std::string policy{std::istreambuf_iterator<char>(in), {}};
  return cat("scenes ", digest_of_scenes(environments.assets()), "\npolicy ", Hash().add(policy).hex());
}

// ---- fleet metaworld rollout

std::vector<EpisodeSpec> rollout_jobs(const std::vector<int>& tasks, int episodes, const std::string& goals,
                                      std::uint32_t seed) {
  std::vector<EpisodeSpec> jobs;
  for (const int task : tasks) {
    const auto benchmark = benchmark_variations(std::span(&task, 1), seed).front();
    RandomStream stream(seed, Purpose::kRollout, static_cast<std::uint64_t>(task));
    for (int i = 0; i < episodes; ++i) {
      const Variation drawn =
          goals == "random" ? draw_variation(task_of(task), stream) : benchmark[static_cast<std::size_t>(i)];
      jobs.push_back({.task = task, .variation = drawn});
    }
  }
  return jobs;
}

Policy make_policy(const std::string& name) {
  if (name == "expert") return expert_action;
  if (!std::filesystem::exists(name)) {
    throw ConfigError(cat("--policy ", name,
                          ": expected expert, or the file of a saved model, which a sweep writes with ",
                          "--set run.save_models='\"merged\"'"));
  }
  return load_policy(name);
}

/// What is asked for on the command line.
struct RolloutPlan {
  std::vector<int> tasks;
  Policy policy;
  int steps = 0;
  std::vector<EpisodeSpec> jobs;
};

RolloutPlan plan_rollout(const po::variables_map& values) {
  const std::string goals = values["goals"].as<std::string>();
  if (goals != "benchmark" && goals != "random") {
    throw ConfigError(cat("--goals ", goals, ": expected benchmark or random"));
  }
  const int episodes = positive(values, "episodes");
  if (goals == "benchmark" && episodes > kBenchmarkGoals) {
    throw ConfigError(cat("--episodes ", episodes, ": the benchmark has ", kBenchmarkGoals,
                          " goals a task; with --goals random there are as many as you like"));
  }
  const auto seed = static_cast<std::uint32_t>(seed_of(values, kLargestGoalSeed));
  const std::vector<int> tasks = find_tasks(values["TASKS"].as<std::string>());
  return {.tasks = tasks,
          .policy = make_policy(values["policy"].as<std::string>()),
          .steps = positive(values, "steps"),
          .jobs = rollout_jobs(tasks, episodes, goals, seed)};
}

/// Runs the episodes here, one after another, with pictures. Interrupted between two steps where a stop is requested.
std::vector<EpisodeResult> render(const RolloutPlan& plan, EnvironmentPool& environments, const Comm& world,
                                  const std::string& path) {
  if (world.size() > 1) throw ConfigError("--render: pictures are drawn by one rank; start it without mpirun");
  Film film(path);
  std::vector<EpisodeResult> results;
  for (const EpisodeSpec& job : plan.jobs) {
    Environment& environment = environments.environment(job.task);
    Renderer renderer(environment.scene(), kPictureSize, kPictureSize);
    environment.reset(job.variation);
    film.add(renderer.draw(environment));
    int step = 0;
    const auto draw = [&](Environment& now) {
      if (world.stop_requested()) throw Interrupted();
      if (++step % kStepsPerPicture == 0) film.add(renderer.draw(now));
    };
    results.push_back(roll_out(environment, plan.policy, draw, plan.steps));
  }
  film.finish();
  std::cout << film.pictures() << " pictures in " << path << '\n';
  return results;
}

void print_results(const std::vector<int>& tasks, std::span<const EpisodeResult> results) {
  const std::size_t episodes = results.size() / tasks.size();
  double mean = 0;
  std::cout << std::left << std::setw(28) << "task"
            << "success  mean steps\n";
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    int successes = 0;
    int steps = 0;
    int diverged = 0;
    for (const EpisodeResult& result : results.subspan(i * episodes, episodes)) {
      successes += result.success ? 1 : 0;
      steps += result.success ? result.steps : 0;
      diverged += result.diverged ? 1 : 0;
    }
    mean += successes / static_cast<double>(results.size());
    std::cout << std::left << std::setw(28) << task_of(tasks[i]).name << std::right << std::setw(3) << successes << '/'
              << std::left << std::setw(5) << episodes << (successes > 0 ? cat(steps / successes) : "-");
    if (diverged > 0) std::cout << "  (" << diverged << " diverged)";
    std::cout << '\n';
  }
  std::cout << "mean success " << std::fixed << std::setprecision(1) << 100 * mean << " %" << std::endl;
}

int rollout(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
  po::options_description options("Options");
  options.add_options()("policy", po::value<std::string>()->default_value("expert"),
                        "who acts: expert, or a model saved by a sweep, MODEL.h5");
  options.add_options()("episodes", po::value<int>()->default_value(50), "episodes of each task");
  options.add_options()("goals", po::value<std::string>()->default_value("benchmark"),
                        "benchmark: the 50 of MT1 with this seed; random: as many others as there are episodes");
  options.add_options()("seed", po::value<std::int64_t>()->default_value(42), "of the goals");
  options.add_options()("steps", po::value<int>()->default_value(kEpisodeSteps),
                        "of an episode at most; sweeps have evaluate.max_steps");
  options.add_options()("render", po::value<std::string>(), "draw them: a folder for PNG pictures, or a film NAME.mp4");
  options.add_options()("assets", po::value<std::string>(),
                        "folder of Meta-World's scenes; $METAWORLD_ASSETS by default");
  return on_ranks(arguments, [&](const Comm& world) {
    const auto values =
        parse(arguments, options, "TASKS",
              "[mpirun -n RANKS] fleet metaworld rollout TASKS [options]\n\nTASKS: mt10, mt50, or names "
              "separated by commas");
    if (!values) return 0;
    std::optional<RolloutPlan> plan;
    const bool drawn = values->contains("render");
    EnvironmentPool environments(assets_of(*values), drawn ? Scene::Detail::kVisual : Scene::Detail::kPhysics);
    world.together([&] {  // a rank may lack the policy's file, or a scene
      plan = plan_rollout(*values);
      environments.prepare(plan->tasks);
    });
    require_same(world, "scenes and policy", identity_of(environments, (*values)["policy"].as<std::string>()));
    if (drawn) {
      print_results(plan->tasks, render(*plan, environments, world, (*values)["render"].as<std::string>()));
      return 0;
    }
    Trials trials(plan->jobs, environments);
    const std::vector<EpisodeResult> results = evaluate(trials, plan->policy, plan->steps, world);
    if (world.is_root()) print_results(plan->tasks, results);
    return 0;
  });
}

// ---- fleet metaworld demos

void report(const std::vector<int>& tasks, std::span<const Demonstration> episodes, const std::string& path) {
  std::size_t steps = 0;
  int attempts = 0;
  for (const Demonstration& episode : episodes) {
    steps += episode.steps();
    attempts += episode.attempts;
  }
  std::cout << episodes.size() << " episodes of " << tasks.size() << " tasks, " << steps << " steps, "
            << attempts - static_cast<int>(episodes.size()) << " failures discarded: " << path << std::endl;
}

/// ConfigError if something else than demonstrations of this program is there; Error if nothing can be written.
void prepare_output(const std::string& path) {
  if (names_minari_dataset(path)) {
    prepare_minari_dataset(path);
  } else {
    require_replaceable(path, kDemonstrationsFile);
    Hdf5Writer{path};
  }
}

int demos(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
  po::options_description options("Options");
  options.add_options()("tasks", po::value<std::string>()->default_value("mt10"),
                        "mt10, mt50, or names separated by commas");
  options.add_options()("episodes", po::value<int>()->default_value(50), "successful episodes of each task");
  options.add_options()(
      "noise", po::value<double>()->default_value(0),
      "largest deviation of what is added to the hand's actions, in units of action; an episode's own is drawn below "
      "it. Where it is not 0, pushes of up to 1 come now and then besides");
  options.add_options()("seed", po::value<std::int64_t>()->default_value(0), "of goals and noise");
  options.add_options()("output,o", po::value<std::string>()->required(),
                        "file to write, or a folder NAME-v0/ for a dataset that minari.load_dataset opens");
  options.add_options()("assets", po::value<std::string>(),
                        "folder of Meta-World's scenes; $METAWORLD_ASSETS by default");
  return on_ranks(arguments, [&](const Comm& world) {
    const auto values = parse(arguments, options, nullptr, "[mpirun -n RANKS] fleet metaworld demos -o FILE [options]");
    if (!values) return 0;
    const std::string names = (*values)["tasks"].as<std::string>();
    const std::vector<int> tasks = find_tasks(names);
    const RecordingOptions recording{
        .episodes = positive(*values, "episodes"),
        .noise = (*values)["noise"].as<double>(),
        .seed = static_cast<std::uint64_t>(seed_of(*values, std::numeric_limits<std::int64_t>::max()))};
    if (!(recording.noise >= 0 && recording.noise <= 2)) {
      throw ConfigError(cat("--noise ", recording.noise, ": expected 0 to 2"));
    }
    EnvironmentPool environments(assets_of(*values));
    const std::string path = (*values)["output"].as<std::string>();
    world.together([&] {  // what is missing is found before the work
      if (world.is_root()) prepare_output(path);
      environments.prepare(tasks);
    });
    require_same(world, "scenes", identity_of(environments));
    DemonstrationSet set{.episodes = record_demonstrations(tasks, recording, environments, world),
                         .provenance = {{"dataset_id", cat("metaworld/", names, "/expert-v0")},
                                        {"engine", engine_version()},
                                        {"generator", kGenerator},
                                        {"noise", cat(recording.noise)},
                                        {"scenes", digest_of_scenes(environments.assets())},
                                        {"seed", cat(recording.seed)},
                                        {"tasks", names}}};
    world.together([&] {
      if (!world.is_root()) return;
      if (names_minari_dataset(path)) {
        write_minari_dataset(path, set);
      } else {
        write_demonstrations(path, set);
      }
      report(tasks, set.episodes, path);
    });
    return 0;
  });
}

int tasks(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
  if (!parse(arguments, po::options_description("Options"), nullptr, "fleet metaworld tasks")) return 0;
  for (const TaskSpec& task : task_table()) std::cout << task.name << '\n';
  return 0;
}

}  // namespace

std::span<const Command> metaworld_commands() {
  static constexpr std::array kCommands = {
      Command{"metaworld rollout", "run episodes under a policy, and draw them: fleet metaworld rollout reach", rollout,
              true},
      Command{"metaworld demos", "record the experts' demonstrations: fleet metaworld demos --tasks mt10 -o demos.h5",
              demos, true},
      Command{"metaworld tasks", "list the 50 tasks", tasks},
  };
  return kCommands;
}

}  // namespace fleet
