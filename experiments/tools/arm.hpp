// The Panda arm as a table of numbers: its kinematics, and its body in a scene. Base at the origin, z up. The hand's
// frame has z along the fingers.
#pragma once

#include <Eigen/Core>
#include <Eigen/Geometry>
#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace fleet::tools {

using Vec3 = Eigen::Vector3d;
using Mat3 = Eigen::Matrix3d;
inline constexpr int kJoints = 7;
using Joints = Eigen::Matrix<double, kJoints, 1>;
/// Rows: how a point, or a rotation, moves with each joint.
using Jacobian3 = Eigen::Matrix<double, 3, kJoints>;

/// A rotation and a place, or a frame in another.
struct Pose {
  Mat3 rotation = Mat3::Identity();
  Vec3 position = Vec3::Zero();

  [[nodiscard]] Vec3 operator*(const Vec3& point) const { return rotation * point + position; }
  [[nodiscard]] Pose operator*(const Pose& inner) const { return {rotation * inner.rotation, *this * inner.position}; }
  [[nodiscard]] Pose inverse() const { return {rotation.transpose(), -(rotation.transpose() * position)}; }
};

/// Axis times angle, in radians up to pi, of a rotation.
[[nodiscard]] Vec3 rotation_vector(const Mat3& rotation);
/// The rotation by an axis times an angle.
[[nodiscard]] Mat3 rotation_of(const Vec3& rotation_vector);

/// Translation and rotation vector, or linear and angular velocity; in the world.
using Twist = Eigen::Matrix<double, 6, 1>;
using Jacobian6 = Eigen::Matrix<double, 6, kJoints>;
/// What brings `now` to `wanted`.
[[nodiscard]] Twist pose_error(const Pose& wanted, const Pose& now);

/// Where the arm is for some joints, by the product of its links' frames.
class ArmPose {
 public:
  explicit ArmPose(const Joints& joints);

  [[nodiscard]] const Pose& hand() const { return hand_; }
  /// The frame of link 1 to 7, about whose z axis its joint turns.
  [[nodiscard]] const Pose& link(int number) const { return links_[static_cast<std::size_t>(number - 1)]; }
  /// Of a point of the world's that the hand carries along.
  [[nodiscard]] Jacobian3 of_point(const Vec3& point) const { return of_point(point, kJoints); }
  /// Of a point that link `number` carries along.
  [[nodiscard]] Jacobian3 of_point(const Vec3& point, int number) const;
  /// Of the hand's rotation: angular velocity in the world.
  [[nodiscard]] Jacobian3 of_rotation() const;
  /// Of the hand's frame.
  [[nodiscard]] Jacobian6 of_hand() const;

 private:
  std::array<Pose, kJoints> links_;
  Pose hand_;
};

/// The ends of the joints' ranges.
[[nodiscard]] const Joints& joints_low();
[[nodiscard]] const Joints& joints_high();
/// Whether they keep `margin` radians from both ends.
[[nodiscard]] bool within_limits(const Joints& joints, double margin);
/// Largest torques, in Nm.
[[nodiscard]] const Joints& torques_most();

/// Elbow up, the hand before the robot and pointing down, turned about the base by `yaw`.
[[nodiscard]] Joints ready_joints(double yaw = 0);

/// Joints near `from` that bring the hand to a pose, by damped least squares, whatever the joints' ranges; nothing if
/// they are not found. What the pose leaves free moves back to `from` by the share `pull` of its distance a step.
[[nodiscard]] std::optional<Joints> reach(const Pose& hand, const Joints& from, double pull = 0);

/// The arm as bodies of an MJCF scene's world, named link1 to link7 and hand, joints joint1 to joint7, with `in_hand`,
/// a text, inside the hand's body.
[[nodiscard]] std::string arm_bodies(std::string_view in_hand);
/// The motors of its joints, one for each in their order.
[[nodiscard]] std::string arm_motors();

}  // namespace fleet::tools
