#include "metaworld/world.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "comm/shared_array.hpp"
#include "data_complaint.hpp"
#include "loaded_data.hpp"
#include "metaworld/command.hpp"
#include "metaworld/workload.hpp"

namespace fleet {
namespace {

using namespace metaworld;
namespace fs = std::filesystem;

constexpr const char* kDemos = "data.demos";
constexpr const char* kTask = "data.task";
constexpr std::int64_t kSceneBytes = 15'000'000;  // that a rank needs for a task: its scene, compiled, and states

struct Options {
  DemonstrationSource file{.path = "demos.h5"};
  std::string tasks;  ///< as they were named
  CloningOptions cloning;
};

/// The task of demonstrations that do not say it, as others say it; "" where it is not written.
std::string read_task(SettingsReader& settings) {
  std::string task;
  settings.read(kTask, task);
  if (task.empty()) return task;
  try {
    const std::vector<int> found = find_tasks(task);
    if (found.size() != 1) throw ConfigError("expected one task");
    return cat(task_of(found.front()).name, "-v3");
  } catch (const ConfigError& error) {
    reject(kTask, settings.resolved().at(kTask), error.what());
  }
}

/// `has_nameless`: whether episodes of a file do not say which task they show.
template <class HasNameless>
Options read_options(SettingsReader& settings, HasNameless has_nameless) {
  Options options;
  std::string file = options.file.string();
  settings.read(kDemos, file);
  options.file.path = file;
  if (has_nameless(options.file.path)) {
    options.file.task = read_task(settings);
  } else {
    settings.rule_out(kTask, cat("every demonstration of ", file, " says which task it shows"));
  }
  options.cloning = read_cloning_options(settings);
  options.tasks = std::get<std::string>(settings.resolved().at("data.tasks").value.data);
  return options;
}

/// The numbers of a file once per node: all observations, then all actions.
class SharedRows {
 public:
  /// Error unless the rows are those of which the plan knows the digest.
  SharedRows(const Comm& node, const DemonstrationSource& file, const std::string& digest)
      : SharedRows(node, file, digest, CloningRows{}) {}

  [[nodiscard]] CloningView view(const CloningRows& index) const {
    const auto* values = reinterpret_cast<const float*>(numbers_.bytes().data());  // NOLINT
    const std::size_t rows = index.size();
    return {.rows = &index,
            .observations = {values, rows * kObservationSize},
            .actions = {values + rows * kObservationSize, rows * kActionSize}};
  }

 private:
  SharedRows(const Comm& node, const DemonstrationSource& file, const std::string& digest,
             CloningRows read)  // of the node's root, between two calls
      : numbers_(
            node,
            [&] {
              read = rows_of(read_demonstrations(file));
              require(read.digest() == digest, file.string(), " has changed since the sweep was planned");
              return read.size() * (kObservationSize + kActionSize) * sizeof(float);
            },
            [&](std::span<std::byte> into) {
              const auto observations = std::as_bytes(std::span(read.observations));
              const auto actions = std::as_bytes(std::span(read.actions));
              std::ranges::copy(actions, std::ranges::copy(observations, into.begin()).out);
            }) {}

  SharedArray numbers_;
};

class MetaWorld final : public World {
 public:
  CellFacts describe(SettingsReader& settings) override {
    const Options options = read_options(settings);
    const Index& index = index_of(options, settings);
    const std::shared_ptr<const Network> network = make_network(settings, options.cloning.shape);
    const std::string scenes = prepare_scenes(options);
    const SampleCounts counts = check_enough(options, split_of(options, index.rows, settings), settings);
    const std::size_t numbers = index.rows.size() * (kObservationSize + kActionSize);
    return {.parameters = static_cast<std::int64_t>(parameter_count(*network)),
            .train_samples = counts.train,
            .dataset_bytes = static_cast<std::int64_t>(numbers * sizeof(float)),
            .held_out = counts.held_out > 0,
            .gpu = options.cloning.training.device == DeviceKind::kCuda,
            .rank_bytes = kSceneBytes * static_cast<std::int64_t>(options.cloning.tasks.size()),
            .data = Hash().add(index.digest).add(scenes).add(engine_version()).hex(),
            .data_key = kDemos};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const Options options = read_options(settings);
      loaded_.load(options.file, node, options.file, index_of(options, settings).digest);
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    return make_cloning_workload(options.cloning, loaded_.at(options.file).view(index_of(options, settings).rows),
                                 make_network(settings, options.cloning.shape), trials_of(options.cloning));
  }

 private:
  Options read_options(SettingsReader& settings) {
    return ::fleet::read_options(settings, [&](const fs::path& file) { return has_nameless(file); });
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
    const SplitKey key{options.file, cloning.tasks, cloning.test, cloning.shape.steps};
    const auto known = splits_.find(key);
    return known != splits_.end() ? known->second : splits_.emplace(key, split(options, index, settings)).first->second;
  }

  /// A file as every rank knows it: all but its numbers.
  struct Index {
    CloningRows rows;
    std::string digest;  ///< of all, the numbers included
  };

  const Index& index_of(const Options& options, const SettingsReader& settings) {
    const auto known = indices_.find(options.file);
    if (known != indices_.end()) return known->second;
    try {
      Index index{.rows = rows_of(read_demonstrations(options.file))};
      index.digest = index.rows.digest();
      index.rows.observations = std::vector<float>();  // {} would keep the memory
      index.rows.actions = std::vector<float>();
      return indices_.emplace(options.file, std::move(index)).first->second;
    } catch (const Error& error) {
      reject_data(settings, kDemos, error.what(), advice(options));
    }
  }

  static CloningSplit split(const Options& options, const CloningRows& index, const SettingsReader& settings) {
    try {
      const CloningOptions& cloning = options.cloning;
      return split_windows(index, cloning.tasks, cloning.test, std::max(1, cloning.shape.steps));
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
    return cat("Record demonstrations with `fleet metaworld demos --tasks ", options.tasks,
               " --episodes 100 --noise 0.4 -o ", taken ? "ANOTHER.h5" : options.file.string(),
               "`, or name a file of them in data.demos (--set data.demos=FILE).");
  }

  /// What the test's episodes depend on; cells that share it share their starts, which take time to settle.
  using TestKey = std::tuple<std::uint64_t, std::vector<int>, int>;

  Trials& trials_of(const CloningOptions& options) {
    const TestKey key{options.training.seed, options.tasks, options.episodes};
    return trials_.try_emplace(key, draw_test_episodes(options), environments_).first->second;
  }

  /// Compiles what the cell needs; the digest of all. ConfigError where scenes are missing or damaged.
  const std::string& prepare_scenes(const Options& options) {
    try {
      environments_.prepare(options.cloning.tasks);
      if (scenes_.empty()) scenes_ = digest_of_scenes(environments_.assets());
      return scenes_;
    } catch (const Error& error) {
      throw ConfigError(error.what());
    }
  }

  using SplitKey = std::tuple<DemonstrationSource, std::vector<int>, double, int>;

  EnvironmentPool environments_{default_assets()};  // scenes compiled so far, for all cells
  std::string scenes_;                              // their digest
  std::map<TestKey, Trials> trials_;
  std::map<fs::path, bool> nameless_;  // files with episodes that do not say which task they show
  std::map<SplitKey, CloningSplit> splits_;
  std::map<DemonstrationSource, Index> indices_;
  LoadedData<DemonstrationSource, SharedRows> loaded_;
};

}  // namespace

WorldEntry metaworld_world() {
  return {.name = "metaworld",
          .summary = "manipulation policies cloned from experts, judged in closed loop (Section 5)",
          .make = []() -> std::unique_ptr<World> { return std::make_unique<MetaWorld>(); },
          .commands = metaworld_commands};
}

}  // namespace fleet
