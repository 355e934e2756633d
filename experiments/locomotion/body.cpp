#include "locomotion/body.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace fleet::locomotion {
namespace {

bool always(const mjModel& /*model*/, const mjData& /*data*/) {
  return true;
}

bool hopper_stands(const mjModel& model, const mjData& data) {
  constexpr double kMost = 100;  // of any number of its state
  const auto sound = [](double value) { return std::abs(value) < kMost; };
  return std::all_of(data.qpos + 2, data.qpos + model.nq, sound) &&
         std::all_of(data.qvel, data.qvel + model.nv, sound) && data.qpos[1] > 0.7 && std::abs(data.qpos[2]) < 0.2;
}

bool walker_stands(const mjModel& /*model*/, const mjData& data) {
  return data.qpos[1] > 0.8 && data.qpos[1] < 2 && std::abs(data.qpos[2]) < 1;
}

bool ant_stands(const mjModel& model, const mjData& data) {
  const auto finite = [](double value) { return std::isfinite(value); };
  return std::all_of(data.qpos, data.qpos + model.nq, finite) && std::all_of(data.qvel, data.qvel + model.nv, finite) &&
         data.qpos[2] >= 0.2 && data.qpos[2] <= 1;
}

}  // namespace

simulation::Sizes sizes_of(const Body& body, Version version) {
  const int felt = feels(body, version) ? kForce * (body.parts - 1) : 0;
  return {.observation = static_cast<std::size_t>(body.positions - body.hidden + body.speeds + felt),
          .action = static_cast<std::size_t>(body.motors)};
}

std::span<const Body> body_table() {
  static constexpr std::array kBodies = {
      Body{.name = "halfcheetah",
           .scene = "half_cheetah.xml",
           .scene_v5 = "half_cheetah.xml",
           .positions = 9,
           .speeds = 9,
           .motors = 6,
           .parts = 8,
           .frame_skip = 5,
           .control_cost = 0.1,
           .alive = 0,
           .noise = 0.1,
           .normal_speeds = true,
           .stands = always,
           .random = -280.178953,
           .expert = 12135.0},
      Body{.name = "hopper",
           .scene = "hopper.xml",
           .scene_v5 = "hopper.xml",
           .positions = 6,
           .speeds = 6,
           .motors = 3,
           .parts = 5,
           .frame_skip = 4,
           .control_cost = 1e-3,
           .fastest = 10,
           .noise = 5e-3,
           .stands = hopper_stands,
           .random = -20.272305,
           .expert = 3234.3},
      Body{.name = "walker2d",
           .scene = "walker2d.xml",
           .scene_v5 = "walker2d_v5.xml",
           .positions = 9,
           .speeds = 9,
           .motors = 6,
           .parts = 8,
           .frame_skip = 4,
           .control_cost = 1e-3,
           .fastest = 10,
           .noise = 5e-3,
           .stands = walker_stands,
           .random = 1.629008,
           .expert = 4592.3},
      Body{.name = "ant",
           .scene = "ant.xml",
           .scene_v5 = "ant.xml",
           .positions = 15,
           .speeds = 14,
           .motors = 8,
           .parts = 14,
           .frame_skip = 5,
           .control_cost = 0.5,
           .hidden = 2,
           .by_torso = true,
           .feels = true,
           .noise = 0.1,
           .normal_speeds = true,
           .stands = ant_stands,
           .random = -325.6,
           .expert = 3879.7},
  };
  return kBodies;
}

}  // namespace fleet::locomotion
