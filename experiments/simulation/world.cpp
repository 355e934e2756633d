#include "simulation/world.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data_complaint.hpp"
#include "loaded_data.hpp"
#include "simulation/shared_numbers.hpp"
#include "simulation/workload.hpp"

namespace fleet::simulation {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDemos = "data.demos";
constexpr const char* kTask = "data.task";

struct Options {
  DemonstrationSource file{.path = "demos.h5"};
  std::string tasks;  ///< as they were named
  CloningOptions cloning;
};

/// The task of demonstrations that do not say it, as others say it; "" where it is not written.
std::string read_task(SettingsReader& settings, const Suite& suite) {
  std::string task;
  settings.read(kTask, task, "The task of demonstrations that do not name one.");
  if (task.empty()) return task;
  try {
    const std::vector<int> found = suite.find_tasks(task);
    if (found.size() != 1) throw ConfigError("expected one task");
    return suite.label(found.front());
  } catch (const ConfigError& error) {
    reject(kTask, settings.resolved().at(kTask), error.what());
  }
}

/// The numbers of a file. Error unless they are those of which the plan knows the digest.
SharedNumbers::Arrays read_numbers(const DemonstrationSource& file, const std::string& digest, const Sizes& sizes) {
  CloningRows read = rows_of(read_demonstrations(file, sizes), sizes);
  require(read.digest() == digest, file.string(), " has changed since the sweep was planned");
  return {std::move(read.observations), std::move(read.actions)};
}

CloningView view_of(const SharedNumbers& numbers, const CloningRows& index, const Sizes& sizes) {
  const std::size_t observed = index.size() * sizes.observation;
  return {.rows = &index, .observations = numbers.first(observed), .actions = numbers.behind(observed)};
}

class CloningWorld final : public World {
 public:
  explicit CloningWorld(const SuiteEntry& entry) : entry_(entry) {}

  void survey(SettingsReader& settings) override {
    const Options options = read_options(settings, true);
    (void)make_network(settings, options.cloning.shape);
  }

  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(settings);
    const Index& index = index_of(options, settings);
    const std::shared_ptr<const Network> network = make_network(settings, options.cloning.shape);
    const Suite& suite = *options.cloning.suite;
    const std::string scenes = prepare_scenes(options);
    const SampleCounts counts = check_enough(options, split_of(options, index.rows, settings), settings);
    const Sizes& sizes = suite.common_sizes(options.cloning.tasks);
    const std::size_t numbers = index.rows.size() * (sizes.observation + sizes.action);
    return {.parameters = static_cast<std::int64_t>(parameter_count(*network)),
            .layout = layout_of(*network),
            .maps = maps_of(network),
            .train_samples = counts.train,
            .dataset_bytes = static_cast<std::int64_t>(numbers * sizeof(float)),
            .offers = Questions::all(),
            .held_out = counts.held_out > 0,
            .gpu = options.cloning.training.device == DeviceKind::kCuda,
            .rank_bytes = suite.facts().rank_bytes + suite.facts().task_bytes * (std::ssize(options.cloning.tasks) +
                                                                                 std::ssize(options.cloning.unseen)),
            .data = Hash().add(index.digest).add(scenes).add(suite.engine()).hex(),
            .data_keys = {kDemos, "data.encoder", std::string(suite.facts().files_key)}};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const Options options = read_options(settings);
      const Sizes& sizes = options.cloning.suite->common_sizes(options.cloning.tasks);
      const std::string& digest = index_of(options, settings).digest;
      loaded_.load(key_of(options), node, [&] { return read_numbers(options.file, digest, sizes); });
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    const Sizes& sizes = options.cloning.suite->common_sizes(options.cloning.tasks);
    const CloningView data = view_of(loaded_.at(key_of(options)), index_of(options, settings).rows, sizes);
    return make_cloning_workload(options.cloning, data, make_network(settings, options.cloning.shape),
                                 trials_of(options.cloning), environments_of(options.cloning));
  }

 private:
  /// `all_keys`: also that which some files make useless.
  Options read_options(SettingsReader& settings, bool all_keys = false) {
    const std::shared_ptr<const Suite> suite = suite_of(settings);
    Options options;
    std::string file = options.file.string();
    settings.read(kDemos, file, "File of demonstrations, or folder of a dataset of Minari.");
    options.file.path = file;
    if (all_keys || has_nameless(options.file.path)) {
      options.file.task = read_task(settings, *suite);
    } else {
      settings.rule_out(kTask, cat("every demonstration of ", file, " says which task it shows"));
    }
    options.cloning = read_cloning_options(settings, suite);
    options.tasks = std::get<std::string>(settings.resolved().at("data.tasks").value.data);
    return options;
  }

  /// Cells whose suites are alike share one.
  std::shared_ptr<const Suite> suite_of(SettingsReader& settings) {
    std::shared_ptr<const Suite> suite = entry_.make(settings, {});
    return suites_.try_emplace(suite->configuration(), suite).first->second;
  }

  /// False also of a file that cannot be read, of which index_of() tells.
  bool has_nameless(const fs::path& file) {
    const auto known = nameless_.find(file);
    if (known != nameless_.end()) return known->second;
    bool nameless = false;
    try {
      nameless = !tell_their_tasks(file);
    } catch (const Error&) {
    }
    return nameless_.emplace(file, nameless).first->second;
  }

  /// Cells that split the demonstrations alike, of which a sweep has many, do it once.
  const CloningSplit& split_of(const Options& options, const CloningRows& index, const SettingsReader& settings) {
    const CloningOptions& cloning = options.cloning;
    const SplitKey key{key_of(options), cloning.tasks, cloning.test, cloning.shape.steps};
    const auto known = splits_.find(key);
    return known != splits_.end() ? known->second : splits_.emplace(key, split(options, index, settings)).first->second;
  }

  /// A file as every rank knows it: all but its numbers.
  struct Index {
    CloningRows rows;
    std::string digest;  ///< of all, the numbers included
  };

  const Index& index_of(const Options& options, const SettingsReader& settings) {
    const DataKey key = key_of(options);
    const auto known = indices_.find(key);
    if (known != indices_.end()) return known->second;
    try {
      const Sizes& sizes = options.cloning.suite->common_sizes(options.cloning.tasks);
      require_same_sight(options);
      Index index{.rows = rows_of(read_demonstrations(options.file, sizes), sizes)};
      index.digest = index.rows.digest();
      index.rows.observations = std::vector<float>();  // {} would keep the memory
      index.rows.actions = std::vector<float>();
      return indices_.emplace(key, std::move(index)).first->second;
    } catch (const Error& error) {
      reject_data(settings, kDemos, error.what(), advice(options));
    }
  }

  /// Error if observations in the file are not what policies are to see.
  static void require_same_sight(const Options& options) {
    const std::string wanted = options.cloning.suite->sight();
    const std::string found = sight_of(options.file.path).value_or(wanted);
    const auto described = [](const std::string& sight) {
      return sight.empty() ? std::string("are of the state") : cat("are features of pictures (", sight, ")");
    };
    require(found == wanted, options.file.string(), ": its observations ", described(found), ", those of this sweep ",
            described(wanted));
  }

  static CloningSplit split(const Options& options, const CloningRows& index, const SettingsReader& settings) {
    try {
      const CloningOptions& cloning = options.cloning;
      return split_windows(index, *cloning.suite, cloning.tasks, cloning.test, std::max(1, cloning.shape.steps));
    } catch (const ConfigError& error) {
      reject_read(settings, "data.window", cat(options.file.string(), ": ", error.what()));
    } catch (const Error& error) {
      reject_data(settings, kDemos, cat(options.file.string(), ": ", error.what()), advice(options));
    }
  }

  /// How many windows are trained on, and how many held out. ConfigError if there is not one for every robot.
  static SampleCounts check_enough(const Options& options, const CloningSplit& split, const SettingsReader& settings) {
    const CloningOptions& cloning = options.cloning;
    const PartitionOptions& partition = cloning.partition;
    const auto windows = static_cast<std::int64_t>(split.train.size());
    const auto classes = static_cast<int>(cloning.tasks.size());
    std::vector<std::int32_t> demonstrations = split.demonstrations;  // those of a demonstration stand together
    demonstrations.erase(std::unique(demonstrations.begin(), demonstrations.end()), demonstrations.end());
    const auto all = static_cast<double>(demonstrations.size());
    const auto held_out = static_cast<std::int64_t>(static_cast<double>(windows) * partition.held_out);
    SampleCounts counts{.train = windows - held_out, .held_out = held_out};
    // A demonstration is a window at least, and rounding takes no more than one of each task.
    const double least = all * (held_out > 0 ? std::min(partition.held_out, 1.0 - partition.held_out) : 1.0);
    if (least >= static_cast<double>(partition.robots) + classes) return counts;
    const SampleCounts exact =
        count_samples(split.labels, classes, partition, cloning.training.seed, split.demonstrations);
    if (exact.train < partition.robots) {
      reject_read(settings, "fleet.robots",
                  cat(options.file.string(), ": of ", windows, cloning.shape.steps > 0 ? " windows" : " observations",
                      " that are not for the test, ", exact.train, " are to train on: expected at most ", exact.train,
                      " robots"));
    }
    counts = exact;
    // A mixture gives every robot as many, so that with less than one each nobody has any.
    const bool none = partition.kind == PartitionOptions::Kind::kMixture && counts.held_out < partition.robots;
    if (none) counts.held_out = 0;
    return counts;
  }

  static std::string advice(const Options& options) {
    const bool taken = fs::exists(options.file.path);
    return cat("Record demonstrations with `fleet ", options.cloning.suite->facts().name, " demos --tasks ",
               options.tasks, " --episodes 100 --noise 0.4", options.cloning.suite->recording_options(), " -o ",
               taken ? "ANOTHER.h5" : options.file.string(),
               "`, or name a file of them in data.demos (--set data.demos=FILE).");
  }

  /// What the test's episodes depend on; cells that share it share their starts, which take time to settle.
  using TestKey = std::tuple<std::string, std::uint64_t, std::vector<int>, std::vector<int>, int>;

  Trials& trials_of(const CloningOptions& options) {
    const TestKey key{options.suite->configuration(), options.training.seed, options.tasks, options.unseen,
                      options.episodes};
    return trials_.try_emplace(key, draw_test_episodes(options), environments_of(options)).first->second;
  }

  /// Compiles what the cell needs; the digest of all. ConfigError where scenes are missing or damaged.
  const std::string& prepare_scenes(const Options& options) {
    try {
      environments_of(options.cloning).prepare(options.cloning.tasks);
      environments_of(options.cloning).prepare(options.cloning.unseen);
      std::string& scenes = scenes_[options.cloning.suite->configuration()];
      if (scenes.empty()) scenes = options.cloning.suite->digest();
      return scenes;
    } catch (const Error& error) {
      throw ConfigError(error.what());
    }
  }

  EnvironmentPool& environments_of(const CloningOptions& options) {
    return environments_.try_emplace(options.suite->configuration(), *options.suite).first->second;
  }

  /// A file as the suites of a configuration read it.
  using DataKey = std::pair<std::string, DemonstrationSource>;
  static DataKey key_of(const Options& options) { return {options.cloning.suite->configuration(), options.file}; }

  using SplitKey = std::tuple<DataKey, std::vector<int>, double, int>;

  const SuiteEntry& entry_;
  // By configuration of the suite.
  std::map<std::string, std::shared_ptr<const Suite>> suites_;
  std::map<std::string, EnvironmentPool> environments_;  // made so far, for all cells
  std::map<std::string, std::string> scenes_;            // their digest
  std::map<TestKey, Trials> trials_;
  std::map<fs::path, bool> nameless_;  // files with episodes that do not say which task they show
  std::map<SplitKey, CloningSplit> splits_;
  std::map<DataKey, Index> indices_;
  LoadedData<DataKey, SharedNumbers> loaded_;
};

}  // namespace

std::unique_ptr<World> make_cloning_world(const SuiteEntry& entry) {
  return std::make_unique<CloningWorld>(entry);
}

}  // namespace fleet::simulation
