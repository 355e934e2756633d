// Systems of classic control, each a few numbers and a formula: the same physics, step by step, as those of gymnasium
// 1.4 (CartPole-v1, Pendulum-v1, Acrobot-v1).
#pragma once

#include <span>
#include <string_view>

#include "base/random.hpp"
#include "simulation/environment.hpp"

namespace fleet::control {

inline constexpr std::size_t kMostState = 4;
inline constexpr std::size_t kBody = 3;  ///< factors of each system's masses, lengths and forces, 1 as published

/// A row of the table.
struct System {
  std::string_view name;
  std::string_view body;  ///< what its factors are of, in order: "cart's mass, pole's mass, pole's length"
  std::size_t state;
  std::size_t observation;
  std::size_t action;
  bool chooses;  ///< simulation::Task::chooses
  int steps;     ///< of an episode at most
  /// Writes the state that an episode begins in.
  void (*draw)(RandomStream& stream, std::span<double> state);
  /// One step of `state`, by `action`, of a body of `kBody` factors. Reward and termination as gymnasium has them.
  simulation::StepResult (*step)(std::span<const double> body, std::span<double> state, std::span<const float> action);
  void (*observe)(std::span<const double> state, std::span<double> into);
  /// What keeps the published body up, or swings it up: a formula, not an optimum.
  void (*expert)(std::span<const double> state, std::span<float> action);
};

[[nodiscard]] std::span<const System> system_table();

}  // namespace fleet::control
