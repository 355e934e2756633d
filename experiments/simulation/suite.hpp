// A simulated world as others see it: its facts, its table of tasks, and environments of them.
//
// A new world derives from Suite and Environment, and adds a row to suite_table() and to world_table(). Commands,
// demonstrations, cloning and tests are then there.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/settings.hpp"
#include "simulation/environment.hpp"

namespace fleet::simulation {

/// A name for several tasks, say "mt10".
struct TaskSet {
  std::string name;
  std::vector<int> tasks;
};

/// Numbers of an observation and of an action.
struct Sizes {
  std::size_t observation = 0;
  std::size_t action = 0;
  auto operator<=>(const Sizes&) const = default;
};

struct Task {
  std::string name;
  int steps = 0;         ///< of an episode at most
  Sizes sizes = {};      ///< where its world's tasks differ in them; else Facts::sizes
  double random = 0;     ///< return of a policy that acts at random, and of an expert, where others quote scores
  double expert = 0;     ///< between the two; equal where nobody does
  bool chooses = false;  ///< an action is one of several things to do, that of the largest number
};

/// Points with which an observation begins, one after another.
struct Cloud {
  std::size_t points = 0;
  std::size_t numbers = 0;  ///< of a point
};

/// Where pictures are taken from: a point that is looked at, metres from it, and degrees as MuJoCo's viewer has them.
struct Camera {
  std::array<double, 3> look_at{};
  double distance = 1;
  double azimuth = 90;
  double elevation = -45;
  bool follows = false;  ///< it goes along with the first body, wherever that is; look_at is of no use then
};

struct Facts {
  enum class Score {
    kSuccess,  ///< whether the task is done; an episode ends with it
    kReward,   ///< the sum of rewards
  };
  std::string_view name;            ///< of the workload and of its commands: "metaworld"
  std::string_view title;           ///< as texts call it: "Meta-World"
  std::string_view task_suffix;     ///< that demonstrations add to names of tasks: "-v3"
  std::string_view default_tasks;   ///< "mt10"
  std::string_view files_key = {};  ///< the setting that names a folder of its files; "" where there is none
  Sizes sizes = {};                 ///< of all tasks, or {} where each has its own
  Cloud cloud = {};                 ///< none by default
  Score score = Score::kSuccess;    ///< what episodes are judged by
  bool pictures = true;             ///< whether its episodes can be drawn (Environment::physics)
  bool unseen_tasks = false;        ///< whether there are tasks that no robot is to learn, "evaluate.unseen"
  std::size_t body = 0;             ///< numbers with which a variation ends: factors of masses, lengths and the like
  std::size_t disturbed = 0;        ///< numbers of an action, from the first, that noise is added to in demonstrations
  int steps_per_picture = 1;        ///< of films
  int pictures_per_step = 1;        ///< where a step is longer than a picture
  int pictures_per_second = 25;     ///< so that they run in real time
  Camera camera;
  std::int64_t rank_bytes = 0;               ///< that a rank needs once, beside those of each task
  std::optional<Camera> second_camera = {};  ///< for policies that see
  std::size_t own = 0;          ///< numbers, with which an observation begins, that a robot feels of itself
  int benchmark = 0;            ///< published variations of each task
  std::int64_t task_bytes = 0;  ///< that a rank needs for an environment
};

class Suite {
 public:
  enum class Detail {
    kPhysics,  ///< what moves alone
    kVisual,   ///< as it is drawn: the same motion
  };

  virtual ~Suite() = default;
  Suite(const Suite&) = delete;
  Suite& operator=(const Suite&) = delete;

  [[nodiscard]] virtual const Facts& facts() const = 0;
  /// In the order of their ids.
  [[nodiscard]] virtual std::span<const Task> tasks() const = 0;
  [[nodiscard]] virtual std::span<const TaskSet> task_sets() const = 0;

  /// A variation of a task.
  [[nodiscard]] virtual Variation draw(int task, RandomStream& stream) const = 0;
  /// The published variations of a task, Facts::benchmark of them.
  [[nodiscard]] virtual std::vector<Variation> benchmark(int task, std::uint32_t seed) const;

  /// Error naming the file if one is missing or wrong.
  [[nodiscard]] virtual std::shared_ptr<Environment> make_environment(int task, Detail detail) const = 0;

  /// Names all files that decide how things move. Error if they are not there.
  [[nodiscard]] virtual std::string digest() const = 0;
  /// Names the files that decide only how things look, such as textures; empty if there are none. Error likewise.
  [[nodiscard]] virtual std::string looks() const { return {}; }
  /// Names the simulator and its version.
  [[nodiscard]] virtual std::string engine() const = 0;
  /// Says through what pictures are seen, where policies see (sight.hpp): they can do nothing with what others see.
  [[nodiscard]] virtual std::string sight() const { return {}; }
  /// Options of the command demos, " --encoder FILE", that make observations like its own.
  [[nodiscard]] virtual std::string recording_options() const { return {}; }
  /// Tells it from others of its world, where settings make them differ.
  [[nodiscard]] virtual std::string configuration() const { return {}; }

  [[nodiscard]] const Task& task(int id) const { return tasks()[static_cast<std::size_t>(id)]; }
  [[nodiscard]] const Sizes& sizes(int id) const { return task(id).sizes == Sizes{} ? facts().sizes : task(id).sizes; }
  /// Of all these tasks, at least one. ConfigError naming two that differ.
  [[nodiscard]] const Sizes& common_sizes(std::span<const int> ids) const;
  /// What demonstrations call a task.
  [[nodiscard]] std::string label(int id) const;
  /// Of the longest episode.
  [[nodiscard]] int most_steps() const;
  /// Ids of the tasks that `names` stands for: sets, or names with or without the suffix, separated by commas.
  /// ConfigError naming the nearest for one that is none, and for one that is named twice.
  [[nodiscard]] std::vector<int> find_tasks(std::string_view names) const;

 protected:
  Suite() = default;

 private:
  [[nodiscard]] int find_task(std::string_view name) const;
};

/// Reads "data.tasks": ids. `alike`: their observations and actions must be of one size.
[[nodiscard]] std::vector<int> read_tasks(SettingsReader& settings, const Suite& suite, bool alike);

/// An option of the world's commands.
struct SuiteOption {
  const char* name;  ///< "observation"
  const char* key;   ///< the setting of the workload that it stands for, "data.observation"; null: the folder of files
  const char* help;
};

/// A world's row in suite_table().
struct SuiteEntry {
  std::string_view name;
  bool online = false;  ///< its policies learn from episodes of their own, not from demonstrations
  std::span<const SuiteOption> options;
  /// Reads the keys of the world's own. `files`: the folder that its files lie in; empty for the usual one. Error where
  /// the world was not built, saying what it needs.
  std::shared_ptr<const Suite> (*make)(SettingsReader& settings, const std::filesystem::path& files);
};

}  // namespace fleet::simulation
