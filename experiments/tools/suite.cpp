#include "tools/suite.hpp"

#include <algorithm>
#include <deque>
#include <map>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "io/toml.hpp"
#include "tools/environment.hpp"

namespace fleet::tools {
namespace {

namespace fs = std::filesystem;
using simulation::Facts;
using simulation::Suite;

constexpr std::string_view kName = "tools";
constexpr std::string_view kFamilies = "data.families";

Facts facts_for(const ObservationOptions& options) {
  const bool cloud = options.kind == ObservationOptions::Kind::kCloud;
  return {
      .name = kName,
      .title = "tool",
      .task_suffix = "",
      .default_tasks = "all",
      .files_key = kFamilies,
      .sizes = {.observation = options.size(), .action = kActionSize},
      .cloud = {.points = cloud ? 2 * static_cast<std::size_t>(options.points) : 0, .numbers = PointCloud::kNumbers},
      .unseen_tasks = true,
      .disturbed = kActionSize,
      .pictures_per_step = kPicturesPerStep,
      .pictures_per_second = 25,
      .camera = {.look_at = {0.45, 0, 0.3}, .distance = 1.35, .azimuth = 140, .elevation = -22},
      .task_bytes = 5'000'000};
}

/// A task: one tool of a family, with the objects that demonstrations show, or with those that they do not.
struct Row {
  const Family* family;
  int tool;
  Pairs pairs;
};

class Tools final : public Suite {
 public:
  /// `folder`: of further families; "" for none.
  Tools(const ObservationOptions& options, const fs::path& folder) : options_(options), facts_(facts_for(options)) {
    for (const auto& [name, text] : own_families()) add_family(parse_family(name, text, name + ".toml"), text);
    if (!folder.empty()) add_folder(folder);
    add_rows();
    require_different_names();
  }

  const Facts& facts() const override { return facts_; }
  std::span<const simulation::Task> tasks() const override { return tasks_; }
  std::span<const simulation::TaskSet> task_sets() const override { return sets_; }

  simulation::Variation draw(int task, RandomStream& stream) const override {
    const Row& row = rows_[static_cast<std::size_t>(task)];
    return draw_episode(*row.family, row.tool, row.pairs, stream);
  }
  std::shared_ptr<simulation::Environment> make_environment(int task, Detail /*detail*/) const override {
    auto environment = std::make_shared<Environment>(task, family_of(task), options_);
    try_scenes(*environment, rows_[static_cast<std::size_t>(task)]);
    return environment;
  }

  const Family& family_of(int task) const { return *rows_[static_cast<std::size_t>(task)].family; }

  std::string digest() const override { return texts_.hex(); }
  std::string engine() const override { return simulation::engine_version(); }
  std::string configuration() const override {
    return cat(digest(), ' ', static_cast<int>(options_.kind), ' ', options_.points);
  }

 private:
  void add_family(Family family, std::string_view text) {
    texts_.add(family.name).add(text);
    families_.push_back(std::move(family));
  }

  void add_folder(const fs::path& folder) {
    if (!fs::is_directory(folder)) {
      throw ConfigError(cat(kFamilies, ": there is no folder ", folder.string(),
                            "; expected one with a file NAME.toml for each family"));
    }
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".toml") files.push_back(entry.path());
    }
    if (files.empty()) {
      throw ConfigError(cat(kFamilies, ": there is no family in the folder ", folder.string(),
                            "; expected a file NAME.toml for each"));
    }
    std::ranges::sort(files);
    for (const fs::path& file : files) {
      require_name(file);
      const std::string text = read_toml_text(file);
      add_family(parse_family(file.stem().string(), text, file.string()), text);
    }
  }

  /// A family's name is part of its tasks' names, which stand in lists.
  void require_name(const fs::path& file) const {
    const std::string name = file.stem().string();
    const auto allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    if (!std::ranges::all_of(name, allowed)) {
      throw ConfigError(
          cat(file.string(), ": a family is named after its file; expected letters, digits, - and _ alone"));
    }
    if (std::ranges::find(families_, name, &Family::name) != families_.end()) {
      throw ConfigError(cat(file.string(), ": there is a family ", name, " already; expected another name"));
    }
  }

  /// Families called "all", or "hammer-0", are told from what else has that name by nobody.
  void require_different_names() const {
    std::map<std::string_view, int> uses;
    for (const simulation::Task& task : tasks_) ++uses[task.name];
    for (const simulation::TaskSet& set : sets_) ++uses[set.name];
    for (const auto& [name, count] : uses) {
      if (count > 1) {
        throw ConfigError(cat(kFamilies, ": ", name, " names a family, and something else as well; ",
                              "expected another name of the family's file"));
      }
    }
  }

  /// With each of the task's objects, so that a scene that MuJoCo refuses is found before the work. ConfigError.
  static void try_scenes(Environment& environment, const Row& row) {
    RandomStream stream(0, Purpose::kRollout, 3);
    for (const int object : objects_of(*row.family, row.tool, row.pairs)) {
      try {
        environment.reset(draw_episode(*row.family, row.tool, object, stream));
      } catch (const Error& error) {
        throw ConfigError(error.what());
      }
    }
  }

  /// A family's tasks stand together, so that their numbers, and what is drawn by them, are the same whatever other
  /// families there are.
  void add_rows() {
    simulation::TaskSet all{"all", {}};
    simulation::TaskSet held_out{"held-out", {}};
    for (const Family& family : families_) {
      add_rows(family, Pairs::kShown, all);
      add_rows(family, Pairs::kHeldOut, held_out);
    }
    sets_.push_back(std::move(all));
    if (!held_out.tasks.empty()) sets_.push_back(std::move(held_out));
  }

  void add_rows(const Family& family, Pairs pairs, simulation::TaskSet& every) {
    const char* const suffix = pairs == Pairs::kShown ? "" : "-held-out";
    simulation::TaskSet set{family.name + suffix, {}};
    for (int tool = 0; tool < static_cast<int>(family.tools.instances.size()); ++tool) {
      if (objects_of(family, tool, pairs).empty()) continue;
      set.tasks.push_back(static_cast<int>(rows_.size()));
      rows_.push_back({&family, tool, pairs});
      tasks_.push_back({cat(family.name, '-', tool, suffix), family.steps});
    }
    every.tasks.insert(every.tasks.end(), set.tasks.begin(), set.tasks.end());
    if (!set.tasks.empty()) sets_.push_back(std::move(set));
  }

  ObservationOptions options_;
  Facts facts_;
  std::deque<Family> families_;  // which rows point to
  Hash texts_;
  std::vector<Row> rows_;
  std::vector<simulation::Task> tasks_;
  std::vector<simulation::TaskSet> sets_;
};

std::shared_ptr<const Suite> make(SettingsReader& settings, const fs::path& files) {
  using Kind = ObservationOptions::Kind;
  constexpr std::array<std::pair<std::string_view, Kind>, 3> kKinds = {
      {{"keypoints", Kind::kKeypoints}, {"state", Kind::kState}, {"cloud", Kind::kCloud}}};
  ObservationOptions options;
  settings.read("data.observation", options.kind, Names<Kind>(kKinds), "What policies see of the scene.");
  if (options.kind == Kind::kCloud) {
    settings.read("data.points", options.points, between(1, 10'000),
                  "Points of the tool, and of the object, in a cloud.");
  } else {
    settings.rule_out("data.points", "only observations of the kind cloud have points");
  }
  std::string folder;
  settings.read(kFamilies, folder, "Folder of further families of tools, a file NAME.toml each.");
  return std::make_shared<Tools>(options, files.empty() ? fs::path(folder) : files);
}

}  // namespace

const Family& family_of(const simulation::Suite& suite, int task) {
  return dynamic_cast<const Tools&>(suite).family_of(task);
}

const simulation::SuiteEntry& suite_entry() {
  static constexpr std::array kOptions = {
      simulation::SuiteOption{"observation", "data.observation", "what policies see: keypoints, state or cloud"},
      simulation::SuiteOption{"points", "data.points", "of the tool, and of the object, in a cloud"},
      simulation::SuiteOption{"families", nullptr, "folder of further families, a file NAME.toml each"},
  };
  static const simulation::SuiteEntry kEntry{.name = kName, .options = kOptions, .make = make};
  return kEntry;
}

}  // namespace fleet::tools
