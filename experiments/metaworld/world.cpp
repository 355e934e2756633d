#include "metaworld/world.hpp"

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "comm/shared_array.hpp"
#include "loaded_data.hpp"
#include "metaworld/workload.hpp"

namespace fleet {
namespace {

using namespace metaworld;
namespace fs = std::filesystem;

constexpr std::int64_t kSceneBytes = 15'000'000;  // that a rank needs for a task: its scene, compiled, and states

struct Options {
  fs::path file = "demos.h5";
  std::string tasks;  ///< as they were named
  CloningOptions cloning;
};

Options read_options(SettingsReader& settings) {
  Options options;
  std::string file = options.file.string();
  settings.read("data.demos", file);
  options.file = file;
  options.cloning = read_cloning_options(settings);
  options.tasks = std::get<std::string>(settings.resolved().at("data.tasks").value.data);
  return options;
}

/// The numbers of a file once per node: all observations, then all actions.
class SharedRows {
 public:
  SharedRows(const Comm& node, const fs::path& file) : SharedRows(node, file, CloningRows{}) {}

  [[nodiscard]] CloningView view(const CloningRows& index) const {
    const auto* values = reinterpret_cast<const float*>(numbers_.bytes().data());  // NOLINT
    const std::size_t rows = index.size();
    return {.rows = &index,
            .observations = {values, rows * kObservationSize},
            .actions = {values + rows * kObservationSize, rows * kActionSize}};
  }

 private:
  SharedRows(const Comm& node, const fs::path& file, CloningRows read)  // `read` of the node's root, between two calls
      : numbers_(
            node,
            [&] {
              read = rows_of(read_demonstrations(file));
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
    const CloningRows& index = index_of(options).rows;
    const std::shared_ptr<const Network> network = make_network(settings, options.cloning.shape);
    (void)environments_.environment(options.cloning.tasks.front());  // the scenes are there
    const auto train = static_cast<double>(split(options, index).train.size());
    return {.parameters = static_cast<std::int64_t>(parameter_count(*network)),
            .train_samples = static_cast<std::int64_t>(train * (1.0 - options.cloning.partition.held_out)),
            .dataset_bytes = static_cast<std::int64_t>(index.size() * (kObservationSize + kActionSize) * sizeof(float)),
            .held_out = options.cloning.partition.held_out > 0.0,
            .gpu = options.cloning.training.device == DeviceKind::kCuda,
            .rank_bytes = kSceneBytes * static_cast<std::int64_t>(options.cloning.tasks.size()),
            .data = index_of(options).digest};
  }

  void load(std::span<const Settings* const> cells, const Comm& run) override {
    const Comm node = run.node();
    for (const Settings* cell : cells) {
      SettingsReader settings(*cell);
      const fs::path file = read_options(settings).file;
      loaded_.load(file, node, file);
    }
  }

  std::unique_ptr<Workload> make(const Settings& cell) override {
    SettingsReader settings(cell);
    const Options options = read_options(settings);
    return make_cloning_workload(options.cloning, loaded_.at(options.file).view(index_of(options).rows),
                                 make_network(settings, options.cloning.shape), environments_);
  }

 private:
  static CloningSplit split(const Options& options, const CloningRows& index) {
    try {
      const CloningOptions& cloning = options.cloning;
      return split_windows(index, cloning.tasks, cloning.test, std::max(1, cloning.shape.steps));
    } catch (const ConfigError& error) {
      throw ConfigError(cat(options.file.string(), ": ", error.what()));
    } catch (const Error& error) {
      throw ConfigError(cat(options.file.string(), ": ", error.what(), "\n", advice(options)));
    }
  }

  /// A file as every rank knows it: all but its numbers.
  struct Index {
    CloningRows rows;
    std::string digest;  ///< of all, the numbers included
  };

  const Index& index_of(const Options& options) {
    const auto known = indices_.find(options.file);
    if (known != indices_.end()) return known->second;
    try {
      Index index{.rows = rows_of(read_demonstrations(options.file))};
      index.digest = index.rows.digest();
      index.rows.observations = std::vector<float>();  // {} would keep the memory
      index.rows.actions = std::vector<float>();
      return indices_.emplace(options.file, std::move(index)).first->second;
    } catch (const Error& error) {
      throw ConfigError(cat(error.what(), "\n", advice(options)));
    }
  }

  static std::string advice(const Options& options) {
    const bool taken = fs::exists(options.file);
    return cat("Record demonstrations with `fleet metaworld demos --tasks ", options.tasks,
               " --episodes 100 --noise 0.4 -o ", taken ? "ANOTHER.h5" : options.file.string(),
               "`, or name a file of them in data.demos.");
  }

  EnvironmentPool environments_{default_assets()};  // scenes compiled so far, for all cells
  std::map<fs::path, Index> indices_;
  LoadedData<fs::path, SharedRows> loaded_;
};

}  // namespace

WorldEntry metaworld_world() {
  return {.name = "metaworld",
          .summary = "manipulation policies cloned from experts, judged in closed loop (Section 5)",
          .make = []() -> std::unique_ptr<World> { return std::make_unique<MetaWorld>(); }};
}

}  // namespace fleet
