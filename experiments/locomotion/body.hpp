// Bodies that walk, hop and run: gymnasium's MuJoCo environments, a row each. Physics, rewards and ends are theirs,
// step by step.
#pragma once

#include <span>
#include <string_view>

#include "simulation/engine.hpp"
#include "simulation/suite.hpp"

namespace fleet::locomotion {

/// gymnasium's versions of an environment: 4 has the rewards, observations and friction of D4RL's data, 5 those of
/// Minari's.
enum class Version { kV4, kV5 };

struct Body {
  std::string_view name;   ///< "halfcheetah"
  std::string_view scene;  ///< the file of version 4 and, where it is another, of version 5
  std::string_view scene_v5;
  int positions;  ///< coordinates, speeds, motors, and parts, the world among them, of the scene
  int speeds;
  int motors;
  int parts;
  int frame_skip;
  double control_cost;         ///< times the sum of squares of an action
  double alive = 1;            ///< reward of each step while it stands
  int hidden = 1;              ///< first coordinates, which an observation leaves out: where it is
  double fastest = 0;          ///< to which observed speeds are clipped; 0: they are not
  bool by_torso = false;       ///< its speed is that of its torso, not of its first coordinate
  bool feels = false;          ///< version 5 observes contact forces, and they cost
  double noise;                ///< of its start, uniform in coordinates
  bool normal_speeds = false;  ///< its first speeds are normal with deviation `noise`, else uniform as coordinates are
  bool (*stands)(const mjModel& model, const mjData& data);
  double random;  ///< return of a random policy and of an expert, between which D4RL scores (Fu et al., 2020)
  double expert;
};

[[nodiscard]] std::span<const Body> body_table();

/// Numbers of a body's observation and action.
[[nodiscard]] simulation::Sizes sizes_of(const Body& body, Version version);
/// Whether a version observes contact forces, which then cost.
[[nodiscard]] inline bool feels(const Body& body, Version version) {
  return body.feels && version == Version::kV5;
}
inline constexpr int kForce = 6;  ///< numbers of the contact force on a part

}  // namespace fleet::locomotion
