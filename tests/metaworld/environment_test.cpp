#include "metaworld/environment.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "base/error.hpp"
#include "metaworld/assets.hpp"
#include "metaworld/experts.hpp"
#include "metaworld/goals.hpp"

namespace fleet::metaworld {
namespace {

constexpr int kSteps = 60;

/// One variation of a task of our own drawing.
Variation drawn(int task, std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kTest);
  return draw_variation(task_of(task), stream);
}

/// The observations of the next steps under the expert.
std::vector<Observation> follow_expert(Environment& environment, int steps = kSteps) {
  std::vector<Observation> seen = {environment.observed()};
  for (int i = 0; i < steps; ++i) {
    environment.step(expert_action(environment.scene().task(), environment.observed()));
    seen.push_back(environment.observed());
  }
  return seen;
}

// Tasks that between them move bodies, grasp, press, and read geoms that only look.
class MetaworldEnvironment : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { REQUIRE_METAWORLD_ASSETS(); }
  static int task() { return task_named(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Tasks, MetaworldEnvironment,
                         testing::Values("push", "door-open", "coffee-pull", "stick-push", "lever-pull"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST_P(MetaworldEnvironment, begins_alike_from_a_stored_start_and_whatever_came_before) {
  Scene scene(task(), default_assets());
  Environment environment(scene);
  environment.reset(drawn(task(), 1));
  const simulation::Start start = environment.start();
  const std::vector<Observation> first = follow_expert(environment);

  environment.reset(drawn(task(), 2));
  EXPECT_NE(follow_expert(environment), first);
  environment.restore(start);
  EXPECT_EQ(follow_expert(environment), first);
  environment.reset(drawn(task(), 1));
  EXPECT_EQ(follow_expert(environment), first);

  Environment other(scene);
  other.restore(start);
  EXPECT_EQ(follow_expert(other), first);
}

TEST_P(MetaworldEnvironment, shares_its_scene_with_others_that_step_in_turn) {
  Scene scene(task(), default_assets());
  Environment one(scene);
  Environment two(scene);
  one.reset(drawn(task(), 1));
  const simulation::Start start = one.start();
  const std::vector<Observation> alone = follow_expert(one, 30);
  one.restore(start);
  two.reset(drawn(task(), 2));
  for (std::size_t i = 1; i < alone.size(); ++i) {
    follow_expert(two, 1);
    ASSERT_EQ(follow_expert(one, 1).back(), alone[i]) << "step " << i;
  }
}

TEST_P(MetaworldEnvironment, moves_alike_whether_it_can_be_seen_or_not) {
  Scene bare(task(), default_assets(), Scene::Detail::kPhysics);
  Scene visual(task(), default_assets(), Scene::Detail::kVisual);
  EXPECT_LT(bare.model().ngeom, visual.model().ngeom);
  Environment one(bare);
  Environment two(visual);
  one.reset(drawn(task(), 3));
  two.reset(drawn(task(), 3));
  EXPECT_EQ(follow_expert(one), follow_expert(two));
}

TEST_P(MetaworldEnvironment, asks_the_engine_for_no_memory_in_a_step) {
  Scene scene(task(), default_assets());
  Environment environment(scene);
  environment.reset(drawn(task(), 1));
  static std::atomic<int> asked = 0;
  mju_user_malloc = [](std::size_t bytes) {
    ++asked;
    return std::aligned_alloc(64, (bytes + 63) / 64 * 64);
  };
  follow_expert(environment);
  mju_user_malloc = nullptr;
  EXPECT_EQ(asked, 0);
}

TEST_P(MetaworldEnvironment, loses_an_episode_to_what_is_not_finite_and_goes_on_with_the_next) {
  Scene scene(task(), default_assets());
  Environment environment(scene);
  environment.reset(drawn(task(), 1));
  const simulation::Start start = environment.start();
  const std::vector<Observation> sound = follow_expert(environment);
  environment.restore(start);
  const simulation::EpisodeResult result = roll_out(environment, [](simulation::Environment&, std::span<float> action) {
    action[0] = std::numeric_limits<float>::quiet_NaN();
    return true;
  });
  EXPECT_TRUE(result.diverged);
  EXPECT_FALSE(result.success);
  EXPECT_LT(result.steps, 5);
  environment.restore(start);
  EXPECT_EQ(follow_expert(environment), sound);
}

TEST_P(MetaworldEnvironment, keeps_the_hand_in_its_box) {
  Scene scene(task(), default_assets());
  Environment environment(scene);
  for (const float way : {1.0F, -1.0F}) {
    environment.reset(drawn(task(), 1));
    for (int i = 0; i < 150; ++i) environment.step(Action{way, way, way, 0});
    for (int axis = 0; axis < 3; ++axis) {
      EXPECT_GE(environment.data().mocap_pos[axis], task_of(task()).hand_low[axis]);
      EXPECT_LE(environment.data().mocap_pos[axis], task_of(task()).hand_high[axis]);
    }
  }
}

TEST(MetaworldTable, holds_fifty_tasks_in_the_benchmark_s_order) {
  const std::span<const TaskSpec> table = task_table();
  ASSERT_EQ(table.size(), 50U);
  EXPECT_EQ(table.front().name, "assembly");
  EXPECT_EQ(table.back().name, "window-close");
  EXPECT_EQ(find_tasks("mt10").size(), 10U);
  EXPECT_EQ(find_tasks(" push , reach"), find_tasks("push,reach"));
  EXPECT_THROW((void)find_tasks("pu sh"), ConfigError);
  EXPECT_EQ(find_tasks("push-v3,reach"), (std::vector{find_tasks("push")[0], find_tasks("reach")[0]}));
}

TEST(MetaworldTable, suggests_the_task_that_was_meant) {
  try {
    static_cast<void>(find_tasks("pick-plaice"));
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean pick-place?"), std::string::npos) << error.what();
  }
}

TEST(MetaworldGoals, lie_in_their_boxes_and_apart) {
  for (const TaskSpec& task : task_table()) {
    const Randomisation& from = task.randomisation;
    RandomStream stream(0, Purpose::kTest);
    for (int i = 0; i < 200; ++i) {
      const Variation one = draw_variation(task, stream);
      EXPECT_TRUE((one.object.array() >= from.object_low.array()).all()) << task.name;
      EXPECT_TRUE((one.object.array() <= from.object_high.array()).all()) << task.name;
      if (!from.goal) continue;
      EXPECT_TRUE((one.goal.array() >= from.goal->low.array()).all()) << task.name;
      EXPECT_TRUE((one.goal.array() <= from.goal->high.array()).all()) << task.name;
      const Vec3 apart = one.object - from.keep_clear_of.value_or(one.goal);
      EXPECT_GE(apart.head<2>().norm(), from.goal->separation) << task.name;
    }
  }
}

/// The message of the Error that loading "push" from this folder ends with.
std::string complaint(const std::filesystem::path& assets) {
  try {
    const Scene scene(task_named("push"), assets);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(MetaworldScene, says_what_is_wrong_with_assets) {
  namespace fs = std::filesystem;
  const fs::path root = fs::temp_directory_path() / "metaworld_scene_test";
  fs::remove_all(root);
  fs::create_directories(root / "sawyer_xyz");
  const std::string file = root / "sawyer_xyz/sawyer_push_v3.xml";
  EXPECT_NE(complaint(root).find("there is no " + file), std::string::npos) << complaint(root);
  EXPECT_NE(complaint(root).find("fleet data fetch metaworld"), std::string::npos) << complaint(root);
  const auto expect = [&](const std::string& xml, const std::string& part) {
    std::ofstream(file) << xml;
    EXPECT_NE(complaint(root).find(file), std::string::npos) << complaint(root);
    EXPECT_NE(complaint(root).find(part), std::string::npos) << complaint(root);
  };
  expect("<mujoco><worldbody>", "cannot be read");
  expect("<mujoco><worldbody><body><joint/></body></worldbody></mujoco>", "does not compile");
  expect("<mujoco><worldbody><geom name='objGeom' size='1'/></worldbody></mujoco>", "there is no body called hand");
  fs::remove_all(root);
}

}  // namespace
}  // namespace fleet::metaworld
