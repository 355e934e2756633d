// Torques that bring the hand to a pose: operational-space control (Khatib, "A Unified Approach for Motion and Force
// Control of Robot Manipulators", 1987), with a posture held in its null space.
#pragma once

#include "simulation/engine.hpp"
#include "tools/arm.hpp"

namespace fleet::tools {

/// Where the hand is to be, and how fast it moves there; all in the world.
struct HandTarget {
  Pose pose;
  Vec3 velocity = Vec3::Zero();
  Vec3 turning = Vec3::Zero();  ///< angular velocity
};

/// Of the arm whose joints and degrees of freedom are the first of the model's, with `hand` the id of its hand's body,
/// after mj_step1() or mj_forward():
///
///   S = J M^-1 J^T + 0.001 I,  w = 50 (q_rest - q) - 12 dq,
///   F = S^-1 (400 e + 40 (v* - J dq) - J w),
///   torques = J^T F + M w + bias,
///
/// with M the arm's inertia, J the hand's Jacobian (6 x 7), e the error of position and rotation, and bias gravity,
/// Coriolis and centrifugal terms. Within the motors' limits.
[[nodiscard]] Joints hand_torques(const mjModel& model, const mjData& data, int hand, const HandTarget& target,
                                  const Joints& rest);

}  // namespace fleet::tools
