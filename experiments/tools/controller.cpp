#include "tools/controller.hpp"

#include <Eigen/Cholesky>

namespace fleet::tools {
namespace {

constexpr double kStiffness = 400;
constexpr double kDamping = 40;
constexpr double kRestStiffness = 50;
constexpr double kRestDamping = 12;
constexpr double kRegularisation = 0.001;

using Jacobian = Eigen::Matrix<double, 6, kJoints>;
using Inertia = Eigen::Matrix<double, kJoints, kJoints>;
using Vector6 = Eigen::Matrix<double, 6, 1>;

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

Jacobian jacobian_of(const mjData& data, const Vec3& hand) {
  Jacobian jacobian;
  for (int i = 0; i < kJoints; ++i) {
    const Vec3 axis = Vec3::Map(data.xaxis + 3 * i);
    jacobian.col(i) << axis.cross(hand - Vec3::Map(data.xanchor + 3 * i)), axis;
  }
  return jacobian;
}

}  // namespace

Joints hand_torques(const mjModel& model, const mjData& data, int hand, const HandTarget& target, const Joints& rest) {
  const Vec3 position = Vec3::Map(data.xpos + 3 * hand);
  const Mat3 rotation = Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(data.xmat + 9 * hand);
  const Joints angles = Joints::Map(data.qpos);
  const Joints speeds = Joints::Map(data.qvel);
  const Inertia inertia = inertia_of(model, data);
  const Jacobian jacobian = jacobian_of(data, position);

  // With M = L L^T: J M^-1 J^T = Y^T Y, where L Y = J^T.
  const Eigen::LLT<Inertia> factor(inertia);
  const Eigen::Matrix<double, kJoints, 6> half = factor.matrixL().solve(jacobian.transpose());
  Eigen::Matrix<double, 6, 6> mobility = half.transpose() * half;
  mobility.diagonal().array() += kRegularisation;

  Vector6 error;
  error << target.pose.position - position, rotation_vector(target.pose.rotation * rotation.transpose());
  Vector6 velocity;
  velocity << target.velocity, target.turning;
  const Joints posture = kRestStiffness * (rest - angles) - kRestDamping * speeds;
  const Vector6 wanted = kStiffness * error + kDamping * (velocity - jacobian * speeds) - jacobian * posture;
  const Vector6 force = mobility.llt().solve(wanted);
  const Joints torques =
      jacobian.transpose() * force + inertia.selfadjointView<Eigen::Lower>() * posture + Joints::Map(data.qfrc_bias);
  return torques.cwiseMin(torques_most()).cwiseMax(-torques_most());
}

}  // namespace fleet::tools
