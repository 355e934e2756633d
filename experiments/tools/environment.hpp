// One arm with a tool before an object: the loop of action and observation.
//
// An action is where the hand is to be after the step, relative to where it is now, in its own frame: a translation and
// a rotation vector, in units of kReach and kTurn. A step allocates nothing.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "simulation/suite.hpp"
#include "tools/controller.hpp"
#include "tools/expert.hpp"
#include "tools/observation.hpp"
#include "tools/scene.hpp"

namespace fleet::tools {

inline constexpr std::size_t kActionSize = 6;
inline constexpr double kReach = 0.05;  ///< metres that an action of 1 moves the hand by
inline constexpr double kTurn = 0.35;   ///< radians
inline constexpr double kStepSeconds = kTimestep * kFrameSkip;
inline constexpr int kPicturesPerStep = 4;  ///< in films: 25 a second

class Environment final : public simulation::Environment {
 public:
  /// `family` must outlive it.
  Environment(int task, const Family& family, const ObservationOptions& options)
      : task_(task), family_(family), observer_(family, options), observation_(options.size()) {}

  [[nodiscard]] int task() const override { return task_; }
  void reset(const simulation::Variation& variation) override;
  /// Scenes are compiled in less than a millisecond, so that the variation is all.
  [[nodiscard]] simulation::Start start() const override { return {.variation = variation_, .state = {}}; }
  void restore(const simulation::Start& start) override { reset(start.variation); }
  simulation::StepResult step(std::span<const float> action) override;
  [[nodiscard]] std::span<const double> observation() const override { return observation_; }
  bool ask_expert(std::span<float> action) override;
  [[nodiscard]] std::string why_lost() const override;
  [[nodiscard]] bool delicate() const override;
  [[nodiscard]] simulation::Physics physics() override { return {model_.get(), data_.get()}; }

  void watch_motion(std::function<void()> watch) override { watch_ = std::move(watch); }

  [[nodiscard]] mjModel& model() const { return *model_; }
  [[nodiscard]] mjData& data() const { return *data_; }
  [[nodiscard]] const Family& family() const { return family_; }
  [[nodiscard]] const Episode& episode() const { return episode_; }
  /// Of the hand, now.
  [[nodiscard]] Pose hand() const { return observer_.hand(*data_); }
  /// What success is judged by: how far it is from where it began.
  [[nodiscard]] double measure() const { return absolute_measure() - measure_at_start_; }
  /// What the expert knows now.
  [[nodiscard]] Situation situation() const;
  /// The expert's path; nothing if it has found none, or has not been asked.
  [[nodiscard]] const std::optional<Path>& path() const { return path_; }

 private:
  void compile();
  /// Error naming the family's file, and the key, unless there is such a thing.
  [[nodiscard]] int id(mjtObj type, const std::string& name, std::string_view key = {}) const;
  void resolve_measure();
  [[nodiscard]] double absolute_measure() const;
  [[nodiscard]] bool succeeded() const;
  void look();
  void find_path();

  int task_;
  const Family& family_;
  simulation::Variation variation_;
  Episode episode_;
  simulation::ModelPointer model_;
  simulation::DataPointer data_;
  int hand_ = 0;
  std::array<int, 2> judged_{};  // address of a joint, or bodies
  double measure_at_start_ = 0;
  Joints rest_;  // what the arm's posture tends to
  Observer observer_;
  std::vector<double> observation_;
  std::optional<Path> path_;
  bool asked_ = false;  // whether the expert has looked for a path
  double set_out_ = 0;  // when it did
  std::function<void()> watch_;
};

}  // namespace fleet::tools
