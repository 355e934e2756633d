#include "tools/controller.hpp"

#include <Eigen/Cholesky>

namespace fleet::tools {
namespace {

constexpr double kStiffness = 400;
constexpr double kDamping = 40;
constexpr double kRestStiffness = 50;
constexpr double kRestDamping = 12;
constexpr double kRegularisation = 0.001;

using Inertia = Eigen::Matrix<double, kJoints, kJoints>;

/// The arm's part of the inertia, its lower half, out of the engine's sparse one: of each row, the entries from the
/// diagonal to the base.
Inertia inertia_of(const mjModel& model, const mjData& data) {
  Inertia inertia = Inertia::Zero();
  for (int i = 0; i < kJoints; ++i) {
    const mjtNum* row = data.qM + model.dof_Madr[i];
    for (int j = i; j >= 0; --j) inertia(i, j) = *row++;
  }
  return inertia;
}

Jacobian6 jacobian_of(const mjData& data, const Vec3& hand) {
  Jacobian6 jacobian;
  for (int i = 0; i < kJoints; ++i) {
    const Vec3 axis = Vec3::Map(data.xaxis + 3 * i);
    jacobian.col(i) << axis.cross(hand - Vec3::Map(data.xanchor + 3 * i)), axis;
  }
  return jacobian;
}

}  // namespace

Joints hand_torques(const mjModel& model, const mjData& data, int hand, const HandTarget& target, const Joints& rest) {
  const Pose now{Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(data.xmat + 9 * hand),
                 Vec3::Map(data.xpos + 3 * hand)};
  const Joints angles = Joints::Map(data.qpos);
  const Joints speeds = Joints::Map(data.qvel);
  const Inertia inertia = inertia_of(model, data);
  const Jacobian6 jacobian = jacobian_of(data, now.position);

  // With M = L L^T: J M^-1 J^T = Y^T Y, where L Y = J^T.
  const Eigen::LLT<Inertia> factor(inertia);
  const Eigen::Matrix<double, kJoints, 6> half = factor.matrixL().solve(jacobian.transpose());
  Eigen::Matrix<double, 6, 6> mobility = half.transpose() * half;
  mobility.diagonal().array() += kRegularisation;

  const Twist error = pose_error(target.pose, now);
  Twist velocity;
  velocity << target.velocity, target.turning;
  const Joints posture = kRestStiffness * (rest - angles) - kRestDamping * speeds;
  const Twist wanted = kStiffness * error + kDamping * (velocity - jacobian * speeds) - jacobian * posture;
  const Twist force = mobility.llt().solve(wanted);
  const Joints torques =
      jacobian.transpose() * force + inertia.selfadjointView<Eigen::Lower>() * posture + Joints::Map(data.qfrc_bias);
  return torques.cwiseMin(torques_most()).cwiseMax(-torques_most());
}

}  // namespace fleet::tools
