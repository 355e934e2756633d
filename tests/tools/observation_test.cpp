#include "tools/observation.hpp"

#include "tools/worlds.hpp"

namespace fleet::tools {
namespace {

constexpr ObservationOptions kClouds{.kind = ObservationOptions::Kind::kCloud, .points = 64};

/// How far a point, in a geom's frame, is from its surface.
double from_surface(const mjModel& model, int geom, const Vec3& point) {
  const double* size = model.geom_size + 3 * geom;
  const double across = point.head<2>().norm();
  const double along = std::abs(point.z());
  switch (model.geom_type[geom]) {
    case mjGEOM_BOX: {
      const Vec3 beyond = point.cwiseAbs() - Vec3::Map(size);
      return std::abs(beyond.maxCoeff());
    }
    case mjGEOM_CAPSULE:
      return std::abs(std::hypot(across, std::max(0.0, along - size[1])) - size[0]);
    default:
      return std::abs(std::max(across - size[0], along - size[1]));
  }
}

TEST(ToolsObservation, of_keypoints_is_in_the_hand_s_frame) {
  for (const Family& family : all_families()) {
    Environment environment(0, family, {});
    environment.reset(drawn(family, 2));
    const std::span<const double> seen = environment.observation();
    ASSERT_EQ(seen.size(), 19U);
    const Situation situation = environment.situation();
    const Pose hand = environment.hand();
    const auto at = [&](std::size_t i) { return Vec3(Vec3::Map(&seen[3 * i])); };
    for (std::size_t i = 0; i < 3; ++i) EXPECT_LT((at(i) - situation.tool[i]).norm(), 1e-12);
    for (std::size_t i = 0; i < 2; ++i) EXPECT_LT((hand * at(3 + i) - situation.object[i]).norm(), 1e-12);
    EXPECT_LT((hand.rotation * at(5) + Vec3::UnitZ()).norm(), 1e-12) << "gravity";
    EXPECT_NEAR(seen[18], hand.position.z() - kTableTop, 1e-12);
  }
}

TEST(ToolsObservation, of_points_lies_on_the_surfaces_of_tool_and_object) {
  for (const Family& family : all_families()) {
    Environment environment(0, family, kClouds);
    environment.reset(drawn(family, 3));
    const mjModel& model = environment.model();
    const mjData& data = environment.data();
    const std::span<const double> seen = environment.observation();
    ASSERT_EQ(seen.size(), 2U * 64U * 4U);
    const int tool = mj_name2id(&model, mjOBJ_BODY, "tool");
    for (std::size_t i = 0; i < 128; ++i) {
      EXPECT_EQ(seen[4 * i + 3], i < 64 ? 0 : 1);
      const Vec3 point = environment.hand() * Vec3(Vec3::Map(&seen[4 * i]));
      double nearest = 1;
      for (int geom = 0; geom < model.ngeom; ++geom) {
        const bool of_tool = model.geom_bodyid[geom] == tool;
        if (of_tool != (i < 64) || model.geom_type[geom] == mjGEOM_PLANE) continue;
        const Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>> rotation(data.geom_xmat + 9 * geom);
        const Vec3 local = rotation.transpose() * (point - Vec3::Map(data.geom_xpos + 3 * geom));
        nearest = std::min(nearest, from_surface(model, geom, local));
      }
      EXPECT_LT(nearest, 1e-9) << family.name << ", point " << i;
    }
  }
}

TEST(ToolsObservation, of_points_is_what_the_engine_s_rays_meet) {
  for (const Family& family : all_families()) {
    Environment environment(0, family, {});
    environment.reset(drawn(family, 4));
    const mjModel& model = environment.model();
    mjData& data = environment.data();
    const auto body = [&](const char* name) { return mj_name2id(&model, mjOBJ_BODY, name); };
    const int object = body(family.object_keypoints[0].body.c_str());
    constexpr int kPoints = 64;
    PointCloud cloud;
    cloud.begin(model, {.tool = body("tool"), .objects = {object}, .hand = body("hand"), .points = kPoints},
                environment.episode());
    for (std::size_t look = 0; look < 3; ++look) {
      std::vector<double> seen(2 * kPoints * PointCloud::kNumbers);
      cloud.look(model, data, seen);
      const Pose hand = environment.hand();
      const std::array<Vec3, 2> cameras = {environment.episode().overhead, hand * environment.episode().wrist};
      const double* next = seen.data();
      for (const PointCloud::Surface* surface : {&cloud.tool(), &cloud.object()}) {
        std::vector<Vec3> expected;
        for (std::size_t i = 0; i < 3 * kPoints; ++i) {
          const PointCloud::SurfacePoint& point = surface->points[(look * kPoints + i) % surface->points.size()];
          const Pose frame{
              Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(data.geom_xmat + 9 * point.geom),
              Vec3::Map(data.geom_xpos + 3 * point.geom)};
          const Vec3 place = frame * point.at;
          const bool is_seen = std::ranges::any_of(cameras, [&](const Vec3& camera) {
            const Vec3 way = (place - camera).normalized();
            int geom = -1;
            const double far = mj_ray(&model, &data, camera.data(), way.data(), nullptr, 1, -1, &geom);
            return (frame.rotation * point.out).dot(way) < 0 && (far < 0 || far > (place - camera).norm() - 1e-3);
          });
          if (is_seen && expected.size() < kPoints) expected.push_back(place);
        }
        ASSERT_FALSE(expected.empty()) << family.name;
        for (std::size_t i = 0; i < kPoints; ++i, next += PointCloud::kNumbers) {
          EXPECT_LT((hand * Vec3(Vec3::Map(next)) - expected[i % expected.size()]).norm(), 1e-9) << family.name << i;
        }
      }
      std::vector<float> action(kActionSize);
      for (int i = 0; i < 20 && environment.ask_expert(action); ++i) environment.step(action);
    }
  }
}

TEST(ToolsObservation, of_points_is_the_same_for_the_same_episode) {
  const Family hammer = all_families().front();
  Environment one(0, hammer, kClouds);
  Environment two(0, hammer, kClouds);
  one.reset(drawn(hammer, 5));
  two.reset(drawn(hammer, 6));
  EXPECT_FALSE(std::ranges::equal(one.observation(), two.observation()));
  two.reset(drawn(hammer, 5));
  EXPECT_TRUE(std::ranges::equal(one.observation(), two.observation()));
}

TEST(ToolsObservation, of_state_names_hand_joints_object_and_tool) {
  const Family knife = all_families().back();
  Environment environment(0, knife, {.kind = ObservationOptions::Kind::kState});
  environment.reset(drawn(knife, 1));
  const std::span<const double> seen = environment.observation();
  ASSERT_EQ(seen.size(), 25U);
  EXPECT_LT((Vec3(Vec3::Map(&seen[0])) - environment.hand().position).norm(), 1e-12);
  EXPECT_EQ(Joints(Joints::Map(&seen[6])), Joints(Joints::Map(environment.data().qpos)));
  EXPECT_LT(
      (rotation_of(Vec3::Map(&seen[22])) - environment.hand().rotation * environment.episode().grip.rotation).norm(),
      1e-9);
}

}  // namespace
}  // namespace fleet::tools
