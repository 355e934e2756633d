#include "metaworld/suite.hpp"

#include <numeric>

#include "metaworld/environment.hpp"
#include "metaworld/goals.hpp"
#include "simulation/sight.hpp"

namespace fleet::metaworld {
namespace {

using simulation::Facts;
using simulation::Suite;

constexpr std::string_view kName = "metaworld";

const Facts kFacts{
    .name = kName,
    .title = "Meta-World",
    .task_suffix = "-v3",
    .default_tasks = "mt10",
    .sizes = {.observation = kObservationSize, .action = kActionSize},
    .disturbed = 3,          // not the gripper
    .steps_per_picture = 2,  // of 80 a second
    .pictures_per_second = 40,
    // From before the table, to the right of the robot, a little above. The scenes' own cameras stand on their heads.
    .camera = {.look_at = {0, 0.6, 0.12}, .distance = 1.7, .azimuth = 235, .elevation = -28},
    .second_camera = simulation::Camera{.look_at = {0, 0.6, 0.12}, .distance = 1.4, .azimuth = 90, .elevation = -50},
    .own = 4,  // where the hand is, and how far the gripper is open
    .benchmark = kBenchmarkGoals,
    .task_bytes = 15'000'000,
};

/// A scene and its one environment.
struct Place {
  Place(int task, const std::filesystem::path& assets, Suite::Detail detail)
      : scene(task, assets, detail), environment(scene) {}
  Scene scene;
  Environment environment;
};

class MetaWorld final : public Suite {
 public:
  explicit MetaWorld(std::filesystem::path assets) : assets_(std::move(assets)) {
    for (const TaskSpec& task : task_table()) tasks_.push_back({std::string(task.name), kEpisodeSteps});
    std::vector<int> all(tasks_.size());
    std::iota(all.begin(), all.end(), 0);
    sets_ = {{"mt10", mt10()}, {"mt50", all}};
  }

  const Facts& facts() const override { return kFacts; }
  std::span<const simulation::Task> tasks() const override { return tasks_; }
  std::span<const simulation::TaskSet> task_sets() const override { return sets_; }

  simulation::Variation draw(int task, RandomStream& stream) const override {
    return draw_variation(task_of(task), stream).numbers();
  }
  std::vector<simulation::Variation> benchmark(int task, std::uint32_t seed) const override {
    std::vector<simulation::Variation> goals;
    const auto drawn = benchmark_variations(std::span(&task, 1), seed);
    for (const Variation& goal : drawn.front()) goals.push_back(goal.numbers());
    return goals;
  }

  std::shared_ptr<simulation::Environment> make_environment(int task, Detail detail) const override {
    const auto place = std::make_shared<Place>(task, assets_, detail);
    return {place, &place->environment};
  }

  std::string digest() const override { return digest_of_scenes(assets_); }
  std::string looks() const override { return digest_of_textures(assets_); }
  std::string engine() const override { return simulation::engine_version(); }

 private:
  std::filesystem::path assets_;
  std::vector<simulation::Task> tasks_;
  std::vector<simulation::TaskSet> sets_;
};

}  // namespace

const simulation::SuiteEntry& suite_entry() {
  static constexpr std::array kOptions = {
      simulation::SuiteOption{"assets", nullptr, "folder of Meta-World's scenes; $METAWORLD_ASSETS by default"},
      simulation::kEncoderOption, simulation::kImagesOption, simulation::kCamerasOption, simulation::kFramesOption};
  static const simulation::SuiteEntry kEntry{
      .name = kName,
      .options = kOptions,
      .make = [](SettingsReader& settings, const std::filesystem::path& files) -> std::shared_ptr<const Suite> {
        return simulation::see(settings, std::make_shared<MetaWorld>(files.empty() ? default_assets() : files));
      }};
  return kEntry;
}

}  // namespace fleet::metaworld
