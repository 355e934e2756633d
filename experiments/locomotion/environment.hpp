// One body in its scene: the loop of action and observation.
#pragma once

#include <vector>

#include "locomotion/body.hpp"
#include "simulation/engine.hpp"
#include "simulation/suite.hpp"

namespace fleet::locomotion {

inline constexpr std::size_t kFactors = 3;  ///< of a body's masses, frictions and gears, 1 as published
inline constexpr int kSteps = 1000;         ///< of an episode at most

class Environment final : public simulation::Environment {
 public:
  /// `model` as it was read: of the body's positions, speeds, motors and parts.
  Environment(int task, const Body& body, Version version, simulation::ModelPointer model);

  [[nodiscard]] int task() const override { return task_; }
  /// A variation: what is added to the coordinates and to the speeds of the model's own start, then the factors.
  void reset(const simulation::Variation& variation) override;
  [[nodiscard]] simulation::Start start() const override { return {.variation = variation_, .state = {}}; }
  void restore(const simulation::Start& start) override { reset(start.variation); }
  simulation::StepResult step(std::span<const float> action) override;
  [[nodiscard]] std::span<const double> observation() const override { return observation_; }
  /// Nobody is an expert: there is no torque.
  bool ask_expert(std::span<float> action) override;
  [[nodiscard]] simulation::Physics physics() override { return {model_.get(), data_.get()}; }

  [[nodiscard]] const mjModel& model() const { return *model_; }
  [[nodiscard]] const mjData& data() const { return *data_; }

 private:
  void become(std::span<const double> factors);
  [[nodiscard]] double place() const;
  void look();

  int task_;
  const Body& body_;
  Version version_;
  simulation::ModelPointer published_;
  simulation::ModelPointer model_;  // with the factors of the episode
  simulation::DataPointer data_;
  simulation::Variation variation_;
  std::vector<double> factors_;
  std::vector<double> observation_;
};

}  // namespace fleet::locomotion
