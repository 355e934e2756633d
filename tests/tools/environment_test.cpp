#include "tools/environment.hpp"

#include "simulation/rollout.hpp"
#include "tools/worlds.hpp"

namespace fleet::tools {
namespace {

constexpr int kStepsOfTwentySeconds = 125;

/// The arm out of the way: high over its base.
void put_arm_away(Environment& environment) {
  Joints away = ready_joints();
  away[1] = -1.2;
  away[3] = -1.6;
  mju_copy(environment.data().qpos, away.data(), kJoints);
  mj_forward(&environment.model(), &environment.data());
}

TEST(ToolsScene, compiles_to_the_same_model_twice) {
  for (const Family& family : all_families()) {
    const Episode episode = Episode::of(family, drawn(family, 3));
    const std::string text = scene_text(family, episode);
    EXPECT_EQ(text, scene_text(family, episode));
    Environment one(0, family, {});
    Environment two(0, family, {});
    one.reset(drawn(family, 3));
    two.reset(drawn(family, 3));
    ASSERT_EQ(mj_sizeModel(&one.model()), mj_sizeModel(&two.model()));
    std::vector<char> first(static_cast<std::size_t>(mj_sizeModel(&one.model())));
    std::vector<char> second(first.size());
    mj_saveModel(&one.model(), nullptr, first.data(), static_cast<int>(first.size()));
    mj_saveModel(&two.model(), nullptr, second.data(), static_cast<int>(second.size()));
    EXPECT_EQ(first, second) << family.name;
  }
}

TEST(ToolsScene, has_a_motor_for_each_of_the_arm_s_joints_which_come_first) {
  for (const Family& family : all_families()) {
    Environment environment(0, family, {});
    environment.reset(drawn(family, 1));
    const mjModel& model = environment.model();
    EXPECT_EQ(model.nu, kJoints);
    for (int i = 0; i < kJoints; ++i) {
      EXPECT_EQ(mj_id2name(&model, mjOBJ_JOINT, i), cat("joint", i + 1));
      EXPECT_EQ(model.jnt_qposadr[i], i);
    }
    EXPECT_EQ(environment.data().ncon > 0, family.name == "spatula" || family.name == "knife")
        << family.name << ": only what lies on the table touches anything at first";
  }
}

TEST(ToolsScene, has_nothing_that_moves_by_itself) {
  for (const Family& family : all_families()) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
      Environment environment(0, family, {});
      environment.reset(drawn(family, seed));
      put_arm_away(environment);
      const mjModel& model = environment.model();
      mjData& data = environment.data();
      const std::vector<double> before(data.qpos + kJoints, data.qpos + model.nq);
      const std::vector<float> rest(kActionSize, 0.0F);
      for (int i = 0; i < kStepsOfTwentySeconds; ++i) ASSERT_FALSE(environment.step(rest).over());
      const double most = family.name == "hammer" ? 1e-4 : family.name == "wrench" ? 1e-2 : 5e-4;
      for (std::size_t i = 0; i < before.size(); ++i) {
        EXPECT_NEAR(data.qpos[kJoints + static_cast<int>(i)], before[i], most) << family.name << ", seed " << seed;
      }
    }
  }
}

TEST(ToolsController, follows_a_motion_closely_within_the_motors_limits) {
  const Family knife = all_families().back();
  Environment environment(0, knife, {});
  environment.reset(drawn(knife, 2));
  for (int i = 0; i < 10; ++i) {
    const Pose start = environment.hand();
    const std::vector<float> action = {0.3F, -0.2F, i < 5 ? -0.5F : 0.2F, 0.1F, -0.2F, 0.1F};
    const Vec3 way = kReach * Vec3(action[0], action[1], action[2]);
    const Vec3 turn = kTurn * Vec3(action[3], action[4], action[5]);
    ASSERT_FALSE(environment.step(action).over());
    if (i < 2) continue;  // sets out from rest
    const Vec3 missed = environment.hand().position - start * way;
    const Mat3 wanted = start.rotation * rotation_of(turn);
    EXPECT_LT(missed.norm(), 5e-3) << i;
    EXPECT_LT(rotation_vector(environment.hand().rotation * wanted.transpose()).norm(), 0.02) << i;
    for (int j = 0; j < kJoints; ++j) EXPECT_LE(std::abs(environment.data().ctrl[j]), 0.8 * torques_most()[j]);
  }
}

TEST(ToolsController, hardly_drifts_when_nothing_is_asked_for) {
  const Family knife = all_families().back();
  const std::vector<float> rest(kActionSize, 0.0F);
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    Environment environment(0, knife, {});
    environment.reset(drawn(knife, seed));
    const Vec3 before = environment.hand().position;
    for (int i = 0; i < 31; ++i) environment.step(rest);  // 5 s
    EXPECT_LT((environment.hand().position - before).norm(), 15e-3) << seed;
  }
}

}  // namespace
}  // namespace fleet::tools
