// The 50 manipulation tasks of Meta-World v3 as data: scene, randomisation, what is observed, what success is, who
// knows how.
//
// Facts first: a task is a row of task_table(). What moves objects about (placement.hpp) and what solves the task
// (experts.hpp) are small functions that the row names. Lengths in metres, angles in radians, vectors (x, y, z).
#pragma once

#include <Eigen/Core>
#include <array>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "simulation/environment.hpp"

namespace fleet::metaworld {

using Vec3 = Eigen::Vector3d;

inline constexpr std::size_t kObservationSize = 39;  ///< 18 now, 18 a step ago, goal position
inline constexpr std::size_t kCurrentSize = 18;      ///< hand, gripper opening, two objects of position and quaternion
inline constexpr std::size_t kActionSize = 4;  ///< displacement of the hand in centimetres, effort closing the gripper
inline constexpr int kEpisodeSteps = 500;

using Observation = std::array<double, kObservationSize>;
using Action = std::array<float, kActionSize>;

/// Something in a scene that has a position and an orientation.
struct Frame {
  enum class Kind { kBody, kSite, kGeom };
  Kind kind = Kind::kBody;
  const char* name = "";
};

/// Seven numbers of an observation: where an object is, and how it is turned.
struct ObservedObject {
  enum class Quaternion {
    kZero,
    kIdentity,
    kBody,    ///< of a body, (w, x, y, z)
    kMatrix,  ///< from a rotation matrix, (x, y, z, w), with the sign that scipy gives it
  };
  Frame position;
  Vec3 offset = Vec3::Zero();
  Quaternion quaternion = Quaternion::kZero;
  Frame orientation;
  double rim = 0;  ///< radius of a knob's mark, which TaskSpec::joint turns by a: offset by rim * (sin a, -cos a, 0)
};

/// What is drawn for an episode: a first vector, mostly where the object starts, and for some tasks a second, mostly
/// the goal.
struct Variation {
  Vec3 object = Vec3::Zero();
  Vec3 goal = Vec3::Zero();

  /// Both, as simulated worlds pass them on.
  [[nodiscard]] simulation::Variation numbers() const {
    return {object.x(), object.y(), object.z(), goal.x(), goal.y(), goal.z()};
  }
  static Variation of(const simulation::Variation& numbers) {
    return {.object = Vec3::Map(numbers.data()), .goal = Vec3::Map(numbers.data() + 3)};
  }
};

/// Where variations are drawn from: uniformly in boxes, anew while object and goal are nearer than `separation` in the
/// plane.
struct Randomisation {
  Vec3 object_low, object_high;
  struct Goal {
    Vec3 low, high;
    double separation = 0;
  };
  std::optional<Goal> goal;
  std::optional<Vec3> keep_clear_of;  ///< measure the separation from here, rather than from the goal
};

/// What success is judged by, after a step.
struct Situation {
  Vec3 object, second;  ///< positions of the observed objects
  Vec3 target;
  Vec3 fingers;  ///< midpoint of the finger tips
  Vec3 probe;    ///< of TaskSpec::probe
  double joint;  ///< of TaskSpec::joint
  double opening;
  bool grasped;  ///< both finger pads press on TaskSpec::grasped
};

class Stage;

/// Where a scripted expert wants the hand: an action is gain * (destination - hand) and the effort of the gripper.
struct Move {
  Vec3 destination;
  double gain;
  double grip;
};
/// An observation taken apart, as the experts see it.
struct View {
  Vec3 hand, object, second, goal;
  double opening;
};

struct TaskSpec {
  std::string_view name;
  const char* scene;  ///< the file sawyer_xyz/sawyer_SCENE.xml
  Vec3 hand;          ///< where the hand is held before an episode
  Randomisation randomisation;
  void (*place)(Stage& stage);  ///< puts the settled scene into the variation's initial state
  std::array<std::optional<ObservedObject>, 2> objects;
  struct Success {  ///< measure(situation) <= limit
    double (*measure)(const Situation& situation);
    double limit;
  } success;
  Move (*expert)(const View& view);

  Vec3 hand_low{-0.5, 0.4, 0.05};  ///< the box that the hand is kept in
  Vec3 hand_high{0.5, 1.0, 0.5};
  /// What the goal's height is clipped to in observations.
  double goal_low_z = -std::numeric_limits<double>::infinity();
  double goal_high_z = std::numeric_limits<double>::infinity();
  std::optional<Frame> probe = {};
  const char* joint = nullptr;
  const char* grasped = nullptr;  ///< a geom
};

/// The 50 tasks in the order of the MT50 benchmark, which is that of their ids.
[[nodiscard]] std::span<const TaskSpec> task_table();
/// The row of this id.
[[nodiscard]] inline const TaskSpec& task_of(int id) {
  return task_table()[static_cast<std::size_t>(id)];
}

/// Ids of the ten tasks of the MT10 benchmark.
[[nodiscard]] std::vector<int> mt10();

}  // namespace fleet::metaworld
