// fleet WORLD demos, of a world without experts: graded data out of policies that a sweep has saved
#include <algorithm>
#include <array>
#include <iostream>
#include <optional>

#include "base/error.hpp"
#include "comm/agreement.hpp"
#include "command/option.hpp"
#include "io/hdf5.hpp"
#include "io/model_file.hpp"
#include "simulation/command.hpp"
#include "simulation/command_options.hpp"
#include "simulation/minari.hpp"
#include "simulation/network_policy.hpp"
#include "simulation/recorder.hpp"
#include "torch/runtime.hpp"

namespace fleet::simulation {
namespace {

namespace fs = std::filesystem;
namespace po = boost::program_options;

constexpr std::array<const char*, 5> kQualities = {"low", "medium", "medium-replay", "medium-expert", "expert"};
constexpr double kLow = 0.15;  // of the way from chance to the best snapshot's return
constexpr double kMedium = 0.4;
constexpr int kTrials = 10;

/// A saved policy, and what it comes to without noise.
struct Snapshot {
  fs::path file;
  std::string task;
  int epoch = 0;
  double reached = 0.0;
};

Snapshot read_snapshot(const fs::path& file) {
  const SavedModel model = read_model(file);
  const auto tasks = model.settings.find("data.tasks");
  const auto* names = tasks != model.settings.end() ? std::get_if<std::string>(&tasks->second.value.data) : nullptr;
  return {.file = file, .task = names != nullptr ? *names : "", .epoch = model.epoch};
}

/// The models that a path names, itself or all within it, of one task: the one named, unless that is "".
std::vector<Snapshot> find_snapshots(const fs::path& path, const std::string& task) {
  std::vector<Snapshot> found;
  if (fs::is_directory(path)) {
    for (const auto& entry : fs::recursive_directory_iterator(path)) {
      if (entry.is_regular_file() && is_model_file(entry.path())) found.push_back(read_snapshot(entry.path()));
    }
  } else if (fs::exists(path)) {
    found.push_back(read_snapshot(path));
  }
  if (found.empty()) {
    throw ConfigError(cat("--policies ", path.string(),
                          ": expected a saved model, or a folder of some, as a sweep writes with run.save_models = "
                          "\"rounds\""));
  }
  std::ranges::sort(found, {}, [](const Snapshot& each) { return std::pair(each.epoch, each.file); });
  std::string tasks;
  for (const Snapshot& each : found) {
    if (tasks.find(each.task) == std::string::npos) tasks += cat(tasks.empty() ? "" : ", ", each.task);
  }
  const std::string wanted = task.empty() ? found.front().task : task;
  const bool several = task.empty() && tasks != wanted;
  std::erase_if(found, [&](const Snapshot& each) { return each.task != wanted; });
  if (several) throw ConfigError(cat("--policies ", path.string(), " are of ", tasks, "; --task says which"));
  if (found.empty()) throw ConfigError(cat("--task ", task, ": --policies ", path.string(), " are of ", tasks));
  return found;
}

/// The policies that a quality is made of, in the order in which they take turns: of all, by epochs. `random`: the
/// return of a policy that acts at random.
std::vector<Snapshot> choose(const std::vector<Snapshot>& all, const std::string& quality, double random) {
  const auto best = std::ranges::max_element(all, {}, &Snapshot::reached);
  const auto first_above = [&](double share) {
    const double wanted = random + share * (best->reached - random);
    const auto found = std::ranges::find_if(all, [&](const Snapshot& each) { return each.reached >= wanted; });
    return found != all.end() ? found : best;  // where even the best is worse than chance
  };
  const auto medium = first_above(kMedium);
  if (quality == "expert") return {*best};
  if (quality == "low") return {*first_above(kLow)};
  if (quality == "medium") return {*medium};
  if (quality == "medium-expert") return {*medium, *best};
  return {all.begin(), medium + 1};
}

void report(std::span<const Demonstration> episodes, const Suite& suite, int task, const std::string& path) {
  std::size_t steps = 0;
  double sum = 0.0;
  double best = -std::numeric_limits<double>::infinity();
  for (const Demonstration& episode : episodes) {
    double reached = 0.0;
    for (const float reward : episode.rewards) reached += static_cast<double>(reward);
    steps += episode.steps();
    sum += reached;
    best = std::max(best, reached);
  }
  const double mean = sum / static_cast<double>(episodes.size());
  std::cout << episodes.size() << " episodes, " << steps << " steps, return " << std::lround(mean) << " (at most "
            << std::lround(best) << ')';
  const Task& facts = suite.task(task);
  if (facts.expert != facts.random) {
    std::cout << ", score " << std::lround(100.0 * (mean - facts.random) / (facts.expert - facts.random));
  }
  std::cout << ": " << path << std::endl;
}

}  // namespace

OptionTexts graded_options(const SuiteEntry& world) {
  OptionTexts options;
  options.add_options()("policies", po::value<std::string>()->required(),
                        "a saved model, or a folder of some: snapshots of one training, the better the later");
  options.add_options()("task", po::value<std::string>()->default_value(""), "of policies of several tasks: which");
  options.add_options()(
      "quality", one_of({kQualities.begin(), kQualities.end()}, "expert"),
      "expert: the best snapshot; medium, low: the first that comes 40, 15 % of the way there from chance; "
      "medium-expert: those two in turn; medium-replay: all up to the medium one in turn");
  options.add_options()("steps", long_integer(between(1, 1e8), 50'000), "steps at least, in whole episodes");
  options.add_options()("noise", number(between(0, 2), 0.1),
                        "largest deviation of what is added to actions; an episode's own is drawn below it");
  options.add_options()("seed", long_integer(at_least(0), 0), "of what varies, and of noise");
  options.add_options()("output,o", po::value<std::string>()->required(),
                        "file to write, or a folder NAME-v0/ for a dataset that minari.load_dataset opens");
  add_suite_options(options, world);
  return options;
}

int run_graded(const SuiteEntry& world, const Call& call) {
  set_threads(1);  // ranks share the episodes
  const Comm& comm = *call.ranks;
  for (const SuiteOption& option : world.options) {
    if (option.key == nullptr || !call.values.contains(option.name)) continue;
    throw ConfigError(cat("--", option.name, ": policies say themselves what they were trained with"));
  }
  const std::string& path = call.get("output");
  const std::string& quality = call.get("quality");
  const PlayedOptions options{.steps = call.values["steps"].as<std::int64_t>(),
                              .noise = call.values["noise"].as<double>(),
                              .seed = static_cast<std::uint64_t>(call.values["seed"].as<std::int64_t>())};
  std::vector<Snapshot> snapshots;
  std::shared_ptr<const Suite> suite;
  int task = 0;
  std::optional<EnvironmentPool> environments;
  const auto load = [&](const Snapshot& snapshot) {
    return load_policy(snapshot.file, world, files_of(world, call.values));
  };
  comm.together([&] {  // what is missing is found before the work
    snapshots = find_snapshots(call.get("policies"), call.get("task"));
    suite = load(snapshots.front()).suite;
    const std::vector<int> ids = suite->find_tasks(snapshots.front().task);
    if (ids.size() != 1) {
      throw ConfigError(cat(snapshots.front().file.string(), " is of several tasks: ", snapshots.front().task));
    }
    task = ids.front();
    if (comm.is_root()) prepare_demonstrations(path);
    environments.emplace(*suite);
    environments->prepare(ids);
  });
  require_same(comm, "scenes", identity_of(*suite));
  std::vector<EpisodeSpec> jobs;
  for (Variation& variation : random_variations(*suite, task, 0, kTrials)) {
    jobs.push_back({.task = task, .variation = std::move(variation)});
  }
  Trials trials(std::move(jobs), *environments);
  for (Snapshot& snapshot : snapshots) {
    std::optional<SavedPolicy> acting;
    comm.together([&] { acting = load(snapshot); });
    for (const EpisodeResult& episode : evaluate(trials, acting->policy, suite->task(task).steps, comm)) {
      snapshot.reached += episode.reward / kTrials;
    }
  }
  const std::vector<Snapshot> chosen = choose(snapshots, quality, suite->task(task).random);
  std::vector<Policy> policies;
  comm.together([&] {
    for (const Snapshot& snapshot : chosen) policies.push_back(load(snapshot).policy);
  });
  if (comm.is_root()) {
    for (const Snapshot& snapshot : chosen) {
      std::cout << snapshot.file.string() << ": epoch " << snapshot.epoch << ", return "
                << std::lround(snapshot.reached) << std::endl;
    }
  }
  DemonstrationSet set{
      .episodes = record_play(task, policies, options, *environments, comm),
      .provenance = {{"dataset_id", cat(suite->facts().name, '/', suite->task(task).name, '/', quality, "-v0")},
                     {"engine", suite->engine()},
                     {"generator", generator_of(suite->facts())},
                     {"noise", cat(options.noise)},
                     {"scenes", suite->digest()},
                     {"seed", cat(options.seed)},
                     {"tasks", suite->task(task).name}}};
  comm.together([&] {
    if (!comm.is_root()) return;
    write_recording(path, set, suite->sizes(task));
    report(set.episodes, *suite, task, path);
  });
  return 0;
}

}  // namespace fleet::simulation
