#include "tools/arm.hpp"

#include "tools/worlds.hpp"

namespace fleet::tools {
namespace {

Joints random_joints(RandomStream& stream) {
  Joints joints;
  for (int i = 0; i < kJoints; ++i)
    joints[i] = joints_low()[i] + stream.uniform() * (joints_high()[i] - joints_low()[i]);
  return joints;
}

TEST(Arm, is_where_the_simulator_says_it_is) {
  const Family hammer = all_families().front();
  Environment environment(0, hammer, {});
  environment.reset(drawn(hammer, 1));
  RandomStream stream(1, Purpose::kTest);
  mjData& data = environment.data();
  const mjModel& model = environment.model();
  for (int trial = 0; trial < 100; ++trial) {
    const Joints joints = random_joints(stream);
    mju_copy(data.qpos, joints.data(), kJoints);
    mj_kinematics(&model, &data);
    mj_comPos(&model, &data);
    const ArmPose arm(joints);
    EXPECT_LT((arm.hand().position - environment.hand().position).norm(), 1e-9);
    EXPECT_LT((arm.hand().rotation - environment.hand().rotation).norm(), 1e-9);
    for (const int link : {1, 4, 7}) {
      const int body = mj_name2id(&model, mjOBJ_BODY, cat("link", link).c_str());
      EXPECT_LT((arm.link(link).position - Vec3::Map(data.xpos + 3 * body)).norm(), 1e-9);
    }
    // The first seven of the scene's degrees of freedom are the arm's.
    const int hand = mj_name2id(&model, mjOBJ_BODY, "hand");
    std::vector<double> linear(static_cast<std::size_t>(3 * model.nv));
    std::vector<double> turning(linear.size());
    mj_jacBody(&model, &data, linear.data(), turning.data(), hand);
    const Jacobian3 of_point = arm.of_point(arm.hand().position);
    const Jacobian3 of_rotation = arm.of_rotation();
    for (int row = 0; row < 3; ++row) {
      for (int i = 0; i < kJoints; ++i) {
        EXPECT_NEAR(of_point(row, i), linear[static_cast<std::size_t>(row * model.nv + i)], 1e-9);
        EXPECT_NEAR(of_rotation(row, i), turning[static_cast<std::size_t>(row * model.nv + i)], 1e-9);
      }
    }
  }
}

TEST(Arm, has_jacobians_that_finite_differences_confirm) {
  constexpr double kStep = 1e-6;
  const Vec3 in_hand(0.03, -0.02, 0.12);
  RandomStream stream(2, Purpose::kTest);
  for (int trial = 0; trial < 20; ++trial) {
    const Joints joints = random_joints(stream);
    const ArmPose arm(joints);
    const Jacobian3 of_point = arm.of_point(arm.hand() * in_hand);
    const Jacobian3 of_rotation = arm.of_rotation();
    const Jacobian3 of_link = arm.of_point(arm.link(6).position, 6);
    for (int i = 0; i < kJoints; ++i) {
      const ArmPose more(joints + kStep * Joints::Unit(i));
      const ArmPose less(joints - kStep * Joints::Unit(i));
      const Vec3 moved = (more.hand() * in_hand - less.hand() * in_hand) / (2 * kStep);
      const Vec3 turned = rotation_vector(more.hand().rotation * less.hand().rotation.transpose()) / (2 * kStep);
      const Vec3 carried = (more.link(6).position - less.link(6).position) / (2 * kStep);
      EXPECT_LT((of_point.col(i) - moved).norm(), 1e-6);
      EXPECT_LT((of_rotation.col(i) - turned).norm(), 1e-6);
      EXPECT_LT((of_link.col(i) - carried).norm(), 1e-6);
    }
  }
}

TEST(Arm, has_rotations_that_are_their_own_vectors) {
  RandomStream stream(3, Purpose::kTest);
  for (int trial = 0; trial < 100; ++trial) {
    const Vec3 axis = Vec3(stream.normal(), stream.normal(), stream.normal()).normalized();
    const Vec3 vector = 3.1 * stream.uniform() * axis;
    EXPECT_LT((rotation_vector(rotation_of(vector)) - vector).norm(), 1e-9);
  }
  EXPECT_EQ(rotation_vector(Mat3::Identity()), Vec3::Zero());
}

TEST(Arm, reaches_poses_that_it_has_been_in) {
  RandomStream stream(4, Purpose::kTest);
  int reached = 0;
  for (int trial = 0; trial < 50; ++trial) {
    const Joints joints = ready_joints() + 0.2 * Joints::NullaryExpr([&] { return stream.normal(); });
    const Pose hand = ArmPose(joints).hand();
    const auto found = reach(hand, ready_joints());
    if (!found) continue;
    ++reached;
    EXPECT_LT((ArmPose(*found).hand().position - hand.position).norm(), 1e-5);
    EXPECT_LT((ArmPose(*found).hand().rotation - hand.rotation).norm(), 1e-5);
  }
  EXPECT_GT(reached, 40);
}

}  // namespace
}  // namespace fleet::tools
