#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "data_complaint.hpp"
#include "io/model_file.hpp"
#include "loaded_data.hpp"
#include "merge/shared_part.hpp"
#include "simulation/offline.hpp"
#include "simulation/shared_numbers.hpp"
#include "torch/device.hpp"

namespace fleet::simulation {
namespace {

constexpr const char* kDemos = "data.demos";
constexpr const char* kStart = "model.start";
constexpr std::string_view kTask = "{task}";

struct Options {
  std::vector<DemonstrationSource> files;  ///< one for each body
  std::string start;                       ///< file of a model; "" where first weights are drawn
  OfflineOptions offline;
};

/// The numbers of all bodies. Error unless they are those of which the plan knows the digest.
SharedNumbers::Arrays read_numbers(const std::vector<DemonstrationSource>& files, const Suite& suite,
                                   std::span<const int> tasks, const std::string& digest) {
  ReadTrajectories read = read_trajectories(files, suite, tasks);
  require(read.index.digest == digest, files.front().string(),
          " or another file of these has changed since the sweep was planned");
  return {std::move(read.states), std::move(read.actions)};
}

TrajectoryView view_of(const SharedNumbers& numbers, const Trajectories& index) {
  std::size_t states = 0;
  for (std::size_t b = 0; b < index.sizes.size(); ++b) {
    states += static_cast<std::size_t>(index.bodies[b + 1] - index.bodies[b]) * index.sizes[b].observation;
  }
  return {.index = &index, .numbers = {.states = numbers.first(states), .actions = numbers.behind(states)}};
}

class OfflineWorld final : public World {
 public:
  explicit OfflineWorld(const SuiteEntry& entry) : entry_(entry) {}

  void survey(SettingsReader& settings) override {
    const Options options = read_options(settings);
    (void)make_network(settings, options.offline.shape);
  }

  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(settings);
    const OfflineOptions& offline = options.offline;
    const Trajectories& index = index_of(options, settings);
    const std::shared_ptr<const Network> network = make_network(settings, offline.shape);
    const std::shared_ptr<const ParamLayout> layout = layout_of(*network);
    check_shared(settings, *layout, offline.bodies());
    const std::string start = start_of(options, settings, *layout).second;
    SampleCounts counts;
    try {
      for (std::size_t b = 0; b < offline.bodies(); ++b) {
        const TrajectorySplit split = split_trajectories(
            index, b, offline.tasks[b], offline.suite->task(offline.tasks[b]).name, offline.test, offline.shape.steps);
        const auto windows = static_cast<double>(split.train.size());
        counts.held_out += static_cast<std::int64_t>(windows * offline.partition.held_out);
        counts.train += static_cast<std::int64_t>(windows * (1.0 - offline.partition.held_out));
      }
    } catch (const Error& error) {
      reject_data(settings, kDemos, error.what(), advice(options));
    }
    const Suite& suite = *offline.suite;
    Questions offers = Questions::all();
    if (offline.bodies() > 1) offers = offers.without({Question::kCurvature});
    const Sizes total = index.total();
    return {.parameters = static_cast<std::int64_t>(layout->size()),
            .layout = layout,
            .maps = maps_of(network),
            .train_samples = counts.train,
            .dataset_bytes =
                static_cast<std::int64_t>(index.rows() * (total.observation + total.action + 1) * sizeof(float)),
            .offers = offers,
            .held_out = counts.held_out > 0,
            .gpu = offline.training.device == DeviceKind::kCuda,
            .rank_bytes = suite.facts().task_bytes * kTogether * static_cast<std::int64_t>(offline.bodies()),
            .data = Hash().add(index.digest).add(prepare_scenes(offline)).add(suite.engine()).add(start).hex(),
            .data_keys = {kDemos, kStart, std::string(suite.facts().files_key)}};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const Options options = read_options(settings);
      const std::string& digest = index_of(options, settings).digest;
      loaded_.load(key_of(options), node,
                   [&] { return read_numbers(options.files, *options.offline.suite, options.offline.tasks, digest); });
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    const Trajectories& index = index_of(options, settings);
    const std::shared_ptr<const Network> network = make_network(settings, options.offline.shape);
    const std::shared_ptr<const ParamVector> start = start_of(options, settings, *layout_of(*network)).first;
    return make_offline_workload(options.offline, view_of(loaded_.at(key_of(options)), index), network,
                                 environments_of(*options.offline.suite), start);
  }

 private:
  Options read_options(SettingsReader& settings) {
    Options options;
    std::shared_ptr<const Suite> suite = entry_.make(settings, {});
    suite = suites_.try_emplace(suite->configuration(), suite).first->second;
    std::string pattern = "{task}.h5";
    settings.read(kDemos, pattern, "Files of trajectories with rewards, {task} standing for the body.");
    options.offline = read_offline_options(settings, suite);
    const std::size_t place = pattern.find(kTask);
    if (place == std::string::npos && options.offline.bodies() > 1) {
      reject_read(settings, kDemos, "expected {task} in it, which stands for each of the bodies of data.tasks");
    }
    for (const int task : options.offline.tasks) {
      std::string path = pattern;
      for (std::size_t at = place; at != std::string::npos; at = path.find(kTask)) {
        path.replace(at, kTask.size(), suite->task(task).name);
      }
      options.files.push_back({.path = path, .task = suite->label(task)});
    }
    settings.read(kStart, options.start, "A model file whose weights all robots start from; none by default.");
    return options;
  }

  using DataKey = std::pair<std::string, std::vector<DemonstrationSource>>;
  static DataKey key_of(const Options& options) { return {options.offline.suite->configuration(), options.files}; }

  const Trajectories& index_of(const Options& options, const SettingsReader& settings) {
    const DataKey key = key_of(options);
    const auto known = indices_.find(key);
    if (known != indices_.end()) return known->second;
    try {
      return indices_
          .emplace(key, read_trajectories(options.files, *options.offline.suite, options.offline.tasks).index)
          .first->second;
    } catch (const Error& error) {
      reject_data(settings, kDemos, error.what(), advice(options));
    }
  }

  static std::string advice(const Options& options) {
    return cat("Make such files with `fleet ", options.offline.suite->facts().name,
               " demos` out of policies that a sweep has saved, or name files of D4RL or Minari in data.demos.");
  }

  /// Whether any tensor that the patterns name is to be merged.
  static bool shares(const SettingsReader& settings, const ParamLayout& layout, std::span<const std::string> patterns) {
    const auto read = settings.resolved().find(std::string_view("merge.parameters"));
    if (read == settings.resolved().end()) return false;
    const Settings written{{read->first, read->second}};
    SettingsReader again(written);
    const std::vector<std::string> names = read_parameters(again);
    const std::vector<std::string> merged = parameter_patterns(names);
    return std::ranges::any_of(layout.tensors(), [&](const TensorSpec& tensor) {
      return means_tensor(patterns, tensor.name) && (merged.empty() || means_tensor(merged, tensor.name));
    });
  }

  /// Rejects merging of what robots of different bodies have not in common.
  static void check_shared(const SettingsReader& settings, const ParamLayout& layout, std::size_t bodies) {
    if (bodies == 1) return;
    const std::vector<std::string> own = {"embedding.actions", "embedding.returns", "embedding.states", "head"};
    if (!shares(settings, layout, own)) return;
    reject_read(settings, "merge.parameters",
                "robots of different bodies see and do different things; expected names without embedding.actions, "
                "embedding.returns, embedding.states and head, such as \"trunk\" or \"attention, mlp\"");
  }

  /// The weights that robots start from, and a name for them by content; nothing where they are drawn.
  std::pair<std::shared_ptr<const ParamVector>, std::string> start_of(const Options& options,
                                                                      const SettingsReader& settings,
                                                                      const ParamLayout& layout) {
    if (options.start.empty()) return {};
    try {
      auto& known = starts_[options.start];
      if (known == nullptr) known = std::make_shared<const ParamVector>(read_model(options.start).weights);
      require(known->layout().hash() == layout.hash(), options.start, " is of another network than the settings make");
      const std::span<const std::byte> bytes = std::as_bytes(known->flat());
      const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());  // NOLINT
      return {known, Hash().add(text).hex()};
    } catch (const Error& error) {
      reject_read(settings, kStart, error.what());
    }
  }

  /// Looks at the scenes that the cell needs; the digest of all. ConfigError where they are missing or damaged.
  const std::string& prepare_scenes(const OfflineOptions& options) {
    try {
      environments_of(*options.suite).prepare(options.tasks);
      std::string& scenes = scenes_[options.suite->configuration()];
      if (scenes.empty()) scenes = options.suite->digest();
      return scenes;
    } catch (const Error& error) {
      throw ConfigError(error.what());
    }
  }

  /// `suite`: one of suites_.
  EnvironmentPool& environments_of(const Suite& suite) {
    return environments_.try_emplace(suite.configuration(), suite).first->second;
  }

  const SuiteEntry& entry_;
  // By configuration of the suite.
  std::map<std::string, std::shared_ptr<const Suite>> suites_;
  std::map<std::string, EnvironmentPool> environments_;
  std::map<std::string, std::string> scenes_;  // their digest
  std::map<DataKey, Trajectories> indices_;
  std::map<std::string, std::shared_ptr<const ParamVector>> starts_;  // by file
  LoadedData<DataKey, SharedNumbers> loaded_;
};

}  // namespace

std::unique_ptr<World> make_offline_world(const SuiteEntry& entry) {
  return std::make_unique<OfflineWorld>(entry);
}

std::string offline_name(const SuiteEntry& entry) {
  return cat(entry.name, "-offline");
}

}  // namespace fleet::simulation
