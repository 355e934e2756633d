// What a policy sees of an arm with a tool before an object; all in the hand's frame, so that it does not see where the
// robot stands.
#pragma once

#include <span>
#include <vector>

#include "simulation/engine.hpp"
#include "tools/cloud.hpp"
#include "tools/scene.hpp"

namespace fleet::tools {

struct ObservationOptions {
  enum class Kind {
    /// 19 numbers: the tool's keypoints head, tail and side, the object's two, the direction of gravity, and the hand's
    /// height over the table.
    kKeypoints,
    /// 25 numbers: hand pose in the world, joints, poses of object and tool in the world; a pose is a place and a
    /// rotation
    /// vector.
    kState,
    /// Points of the tool, then as many of the object, that a camera sees: x, y, z and 0 or 1 for the object.
    kCloud,
  };
  Kind kind = Kind::kKeypoints;
  int points = 64;  ///< of the tool, and of the object, in a cloud

  /// Numbers of an observation.
  [[nodiscard]] std::size_t size() const;
};

/// Of what has this name in a scene. Error that begins with `where` and names what there is.
[[nodiscard]] int id_in_scene(const mjModel& model, mjtObj type, const std::string& name, const std::string& where);

/// Of one scene after another. Looks at data whose kinematics are of now.
class Observer {
 public:
  Observer(const Family& family, const ObservationOptions& options) : family_(family), options_(options) {}

  /// A new scene.
  void begin(const mjModel& model, const mjData& data, const Episode& episode);
  /// Writes options.size() numbers. Allocates nothing.
  void look(const mjModel& model, mjData& data, std::span<double> into);

  /// The tool's keypoints in the hand's frame, and the object's in the world.
  [[nodiscard]] const std::array<Vec3, kToolKeypoints>& tool_keypoints() const { return tool_keypoints_; }
  [[nodiscard]] std::array<Vec3, kObjectKeypoints> object_keypoints(const mjData& data) const;
  [[nodiscard]] Pose hand(const mjData& data) const { return pose_of(data, hand_); }
  [[nodiscard]] static Pose pose_of(const mjData& data, int body);

 private:
  const Family& family_;
  ObservationOptions options_;
  int hand_ = 0;
  int tool_ = 0;
  std::array<Vec3, kToolKeypoints> tool_keypoints_;
  struct Keypoint {
    int body;
    Vec3 at;
  };
  std::array<Keypoint, kObjectKeypoints> object_keypoints_{};
  PointCloud cloud_;
};

}  // namespace fleet::tools
