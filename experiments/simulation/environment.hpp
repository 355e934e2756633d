// One robot in a simulated world: the seam between worlds, which are physics and a table of tasks, and all that is done
// with them: roll-outs, films, demonstrations, cloned policies.
//
// Knows nothing of an engine.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

struct mjModel_;
struct mjData_;

namespace fleet::simulation {

/// What is drawn for an episode, as numbers that its world gives a meaning to.
using Variation = std::vector<double>;

struct StepResult {
  double reward = 0;
  bool success = false;     ///< the task is done in this state
  bool terminated = false;  ///< the episode is over for another reason, say that the robot has fallen
  bool diverged = false;    ///< the simulator met something not finite; the episode is lost

  [[nodiscard]] bool over() const { return success || terminated || diverged; }
};

/// The state that an episode begins in, to begin it again at less cost than that of reset().
struct Start {
  Variation variation;
  std::vector<double> state;
};

/// What is drawn in pictures: none in a world without MuJoCo.
struct Physics {
  mjModel_* model = nullptr;
  mjData_* data = nullptr;
};

class Environment {
 public:
  virtual ~Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  /// Index into the suite's table.
  [[nodiscard]] virtual int task() const = 0;

  /// Begins an episode. The same variation gives the same bits, whatever came before.
  virtual void reset(const Variation& variation) = 0;
  /// The present state, to be called right after reset().
  [[nodiscard]] virtual Start start() const = 0;
  /// Begins the episode of which an environment of this task has given the start.
  virtual void restore(const Start& start) = 0;

  /// `action`: Facts::action_size numbers; what lies outside [-1, 1] is taken for the nearest that does not. Allocates
  /// nothing.
  virtual StepResult step(std::span<const float> action) = 0;
  /// Of now, Facts::observation_size numbers.
  [[nodiscard]] virtual std::span<const double> observation() const = 0;

  /// Writes what the world's expert would do now, which may lie outside [-1, 1]. False if it does not know. Each step
  /// is to be asked for in turn, as an expert may follow a plan that it makes at the first.
  virtual bool ask_expert(std::span<float> action) = 0;
  /// Why the expert did not know at the first step, where the world can tell; to be called right after it was asked.
  [[nodiscard]] virtual std::string why_lost() const { return {}; }
  /// Whether a push now would spoil what the expert is at.
  [[nodiscard]] virtual bool delicate() const { return false; }

  [[nodiscard]] virtual Physics physics() { return {}; }
  /// Moves what pictures show of the goal to where it is.
  virtual void mark_goal() {}
  /// Calls `watch`, if there is one, Facts::pictures_per_step times in each step, at equal distances, from now on.
  /// Worlds with one picture a step, or fewer, need not.
  virtual void watch_motion(std::function<void()> /*watch*/) {}  // NOLINT(performance-unnecessary-value-param)

 protected:
  Environment() = default;
};

}  // namespace fleet::simulation
