#include "tools/scene.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fleet::tools {
namespace {

// Where the hand starts, pointing down: drawn anew until the arm reaches it.
constexpr Interval kStartX{0.38, 0.52};
constexpr Interval kStartY{-0.22, 0.22};
constexpr Interval kStartZ{0.48, 0.62};
constexpr Interval kStartTilt{-0.25, 0.25};
constexpr Interval kStartYaw{-0.6, 0.6};
constexpr Interval kFriction{0.7, 1.0};
// Cameras: the one over the table looks back at it from beyond, the other sits at the hand.
constexpr Interval kOverheadX{0.9, 1.3};
constexpr Interval kOverheadY{-0.35, 0.35};
constexpr Interval kOverheadZ{0.6, 0.8};
const Vec3 kWrist(0.126, -0.036, 0.057);
constexpr double kWristSpread = 0.02;

constexpr double kStartMargin = 0.05;  // radians that a start keeps from the joints' limits

double draw(const Interval& from, RandomStream& stream) {
  return from.low + (from.high - from.low) * stream.uniform();
}

Pose grip_of(double about_x, double about_y, double about_z, double x, double z) {
  const auto about = [](double angle, const Vec3& axis) { return Eigen::AngleAxisd(angle, axis).toRotationMatrix(); };
  return {about(about_z, Vec3::UnitZ()) * about(about_y, Vec3::UnitY()) * about(about_x, Vec3::UnitX()), {x, 0, z}};
}

Joints draw_start(RandomStream& stream) {
  for (;;) {
    const Vec3 position(draw(kStartX, stream), draw(kStartY, stream), draw(kStartZ, stream));
    const double about_x = draw(kStartTilt, stream);
    const double about_y = draw(kStartTilt, stream);
    const double about_z = draw(kStartYaw, stream);
    const Mat3 down = Eigen::AngleAxisd(about_z, Vec3::UnitZ()).toRotationMatrix() *
                      Eigen::AngleAxisd(about_y, Vec3::UnitY()).toRotationMatrix() *
                      Eigen::AngleAxisd(M_PI + about_x, Vec3::UnitX()).toRotationMatrix();
    const auto joints = reach({down, position}, ready_joints(std::atan2(position.y(), position.x())));
    if (joints && within_limits(*joints, kStartMargin)) return *joints;
  }
}

constexpr const char* kHead = R"(<mujoco model="tools">
<compiler angle="radian" autolimits="true"/>
<size memory="4M"/>
<option timestep="0.004" integrator="implicitfast" cone="elliptic" impratio="10"><flag multiccd="enable"/></option>
<visual>
  <global offwidth="960" offheight="960"/>
  <headlight ambient="0.35 0.35 0.35" diffuse="0.45 0.45 0.45" specular="0.1 0.1 0.1"/>
  <quality shadowsize="4096"/>
</visual>
<asset>
  <texture name="sky" type="skybox" builtin="gradient" rgb1="0.75 0.82 0.9" rgb2="0.95 0.97 1" width="64" height="256"/>
  <texture name="floor" type="2d" builtin="checker" rgb1="0.72 0.74 0.76" rgb2="0.66 0.68 0.7" width="128" height="128"/>
  <material name="floor" texture="floor" texrepeat="8 8" reflectance="0.05"/>
</asset>
<default>
  <default class="arm"><geom rgba="0.93 0.94 0.95 1"/></default>
  <default class="pressed"><geom solref="0.008 1" solimp="0.95 0.99 0.001"/></default>
)";

constexpr const char* kRoom = R"(
<light pos="0.6 -0.6 2" dir="0 0.3 -1" diffuse="0.5 0.5 0.5"/>
<geom name="floor" type="plane" size="3 3 0.1" material="floor" contype="0" conaffinity="0"/>
<geom name="table" type="box" size="0.711 0.512 0.0285" pos="0.96 0 0.1215" rgba="0.7 0.6 0.48 1"/>
)";

}  // namespace

Episode Episode::of(const Family& family, const simulation::Variation& numbers) {
  const double* next = numbers.data();
  const auto take = [&next] { return *next++; };
  const auto take_vector = [&] {
    const Vec3 v = Vec3::Map(next);
    next += 3;
    return v;
  };
  Episode episode;
  episode.tool = static_cast<int>(take());
  episode.object = static_cast<int>(take());
  const double about_x = take();
  const double about_y = take();
  const double about_z = take();
  const double x = take();
  episode.grip = grip_of(about_x, about_y, about_z, x, take());
  episode.x = take();
  episode.y = take();
  episode.yaw = take();
  episode.friction = take();
  for (const NamedInterval& named : family.draws) episode.drawn[named.name] = take();
  episode.start = Joints::Map(next);
  next += kJoints;
  episode.overhead = take_vector();
  episode.wrist = take_vector();
  episode.points = static_cast<std::uint64_t>(take());
  return episode;
}

std::vector<int> objects_of(const Family& family, int tool, Pairs pairs) {
  std::vector<int> objects;
  for (int object = 0; object < static_cast<int>(family.objects.instances.size()); ++object) {
    const bool wanted = family.is_held_out(tool, object) == (pairs == Pairs::kHeldOut);
    if (wanted && family.fit(tool, object)) objects.push_back(object);
  }
  return objects;
}

simulation::Variation draw_episode(const Family& family, int tool, Pairs pairs, RandomStream& stream) {
  const std::vector<int> objects = objects_of(family, tool, pairs);
  return draw_episode(family, tool, objects[stream.below(objects.size())], stream);
}

simulation::Variation draw_episode(const Family& family, int tool, int object, RandomStream& stream) {
  simulation::Variation numbers = {static_cast<double>(tool), static_cast<double>(object)};
  const Grip& grip = family.grip;
  for (const Interval& from :
       {grip.about_x, grip.about_y, grip.about_z, grip.x, grip.z, family.x, family.y, family.yaw, kFriction}) {
    numbers.push_back(draw(from, stream));
  }
  for (const NamedInterval& named : family.draws) numbers.push_back(draw(named.interval, stream));
  const Joints start = draw_start(stream);
  numbers.insert(numbers.end(), start.begin(), start.end());
  for (const Interval& from : {kOverheadX, kOverheadY, kOverheadZ}) numbers.push_back(draw(from, stream));
  for (int i = 0; i < 3; ++i) numbers.push_back(kWrist[i] + kWristSpread * (2 * stream.uniform() - 1));
  numbers.push_back(static_cast<double>(stream()));
  return numbers;
}

Fields tool_fields(const Family& family, const Episode& episode) {
  Fields fields = family.tools.instances[static_cast<std::size_t>(episode.tool)];
  fields["friction"] = episode.friction;
  return fields;
}

Fields object_fields(const Family& family, const Episode& episode) {
  Fields fields = family.objects.instances[static_cast<std::size_t>(episode.object)];
  fields["friction"] = episode.friction;
  fields.insert(episode.drawn.begin(), episode.drawn.end());
  return fields;
}

Vec3 evaluate(const PointFormula& point, const Fields& fields) {
  return {evaluate(point[0], fields), evaluate(point[1], fields), evaluate(point[2], fields)};
}

std::string scene_text(const Family& family, const Episode& episode) {
  const Eigen::Quaterniond turned(episode.grip.rotation);
  Fields place = {{"x", episode.x},
                  {"y", episode.y},
                  {"top", kTableTop},
                  {"yaw", episode.yaw},
                  {"friction", episode.friction},
                  {"gx", episode.grip.position.x()},
                  {"gy", episode.grip.position.y()},
                  {"gz", episode.grip.position.z()},
                  {"qw", turned.w()},
                  {"qx", turned.x()},
                  {"qy", turned.y()},
                  {"qz", turned.z()}};
  const std::string tool = fill_in(R"(<body name="tool" pos="{gx} {gy} {gz}" quat="{qw} {qx} {qy} {qz}">)", place) +
                           '\n' + fill_in(family.tools.mjcf, tool_fields(family, episode)) + "</body>\n";
  const Fields object = object_fields(family, episode);
  return cat(kHead, fill_in(R"(<geom friction="{friction} 0.005 0.0001" condim="4" density="500"/>)", place),
             "\n</default>\n<worldbody>", kRoom, arm_bodies(tool),
             fill_in(R"(<frame pos="{x} {y} {top}" euler="0 0 {yaw}">)", place), '\n',
             fill_in(family.objects.mjcf, object), "</frame>\n</worldbody>\n<contact>", fill_in(family.contact, object),
             "</contact>\n<actuator>\n", arm_motors(), "</actuator>\n</mujoco>\n");
}

}  // namespace fleet::tools
