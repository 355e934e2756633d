#include "tools/suite.hpp"

#include <algorithm>
#include <deque>
#include <fstream>
#include <iterator>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "tools/environment.hpp"

namespace fleet::tools {
namespace {

namespace fs = std::filesystem;
using simulation::Facts;
using simulation::Suite;

constexpr std::string_view kName = "tools";

Facts facts_for(const ObservationOptions& options) {
  const bool cloud = options.kind == ObservationOptions::Kind::kCloud;
  return {
      .name = kName,
      .title = "tool",
      .task_suffix = "",
      .default_tasks = "all",
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
    add_rows(Pairs::kShown);
    add_rows(Pairs::kHeldOut);
  }

  const Facts& facts() const override { return facts_; }
  std::span<const simulation::Task> tasks() const override { return tasks_; }
  std::span<const simulation::TaskSet> task_sets() const override { return sets_; }

  simulation::Variation draw(int task, RandomStream& stream) const override {
    const Row& row = rows_[static_cast<std::size_t>(task)];
    return draw_episode(*row.family, row.tool, row.pairs, stream);
  }
  std::shared_ptr<simulation::Environment> make_environment(int task, Detail /*detail*/) const override {
    return std::make_shared<Environment>(task, *rows_[static_cast<std::size_t>(task)].family, options_);
  }

  std::string digest() const override { return texts_.hex(); }
  std::string engine() const override { return simulation::engine_version(); }
  std::string configuration() const override {
    return cat(digest(), ' ', static_cast<int>(options_.kind), ' ', options_.points);
  }

 private:
  void add_family(Family family, std::string_view text) {
    texts_.add(family.name).add(text);
    for (const Family& other : families_) {
      if (other.name == family.name) throw ConfigError(cat("there are two families called ", family.name));
    }
    for (int tool = 0; tool < static_cast<int>(family.tools.instances.size()); ++tool) {
      if (objects_of(family, tool, Pairs::kShown).empty()) {
        throw ConfigError(cat(family.name, ": tool ", tool, " fits none of the objects that are not held out"));
      }
    }
    families_.push_back(std::move(family));
  }

  void add_folder(const fs::path& folder) {
    if (!fs::is_directory(folder)) {
      throw ConfigError(cat("data.families: there is no folder ", folder.string(),
                            "; one with a file NAME.toml for each", " family was expected"));
    }
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".toml") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const fs::path& file : files) add_family(read_family(file), read_text(file));
  }

  static std::string read_text(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  void add_rows(Pairs pairs) {
    const char* const suffix = pairs == Pairs::kShown ? "" : "-held-out";
    simulation::TaskSet all{pairs == Pairs::kShown ? "all" : "held-out", {}};
    for (const Family& family : families_) {
      simulation::TaskSet set{family.name + suffix, {}};
      for (int tool = 0; tool < static_cast<int>(family.tools.instances.size()); ++tool) {
        if (objects_of(family, tool, pairs).empty()) continue;
        set.tasks.push_back(static_cast<int>(rows_.size()));
        rows_.push_back({&family, tool, pairs});
        tasks_.push_back({cat(family.name, '-', tool, suffix), family.steps});
      }
      all.tasks.insert(all.tasks.end(), set.tasks.begin(), set.tasks.end());
      if (!set.tasks.empty()) sets_.push_back(std::move(set));
    }
    if (!all.tasks.empty()) sets_.push_back(std::move(all));
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
  std::string folder = files.string();
  settings.read("data.families", folder, "Folder of further families of tools, a file NAME.toml each.");
  return std::make_shared<Tools>(options, folder);
}

}  // namespace

const simulation::SuiteEntry& suite_entry() {
  static constexpr std::array kOptions = {
      simulation::SuiteOption{"observation", "data.observation", "what policies see: keypoints, state or cloud"},
      simulation::SuiteOption{"points", "data.points", "of the tool, and of the object, in a cloud"},
      simulation::SuiteOption{"families", "data.families", "folder of further families, a file NAME.toml each"},
  };
  static const simulation::SuiteEntry kEntry{.name = kName, .options = kOptions, .make = make};
  return kEntry;
}

}  // namespace fleet::tools
