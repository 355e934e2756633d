#include "tools/arm.hpp"

#include <Eigen/Cholesky>
#include <cmath>
#include <initializer_list>
#include <sstream>

#include "base/error.hpp"

namespace fleet::tools {
namespace {

struct Capsule {
  Vec3 from, to;
  double radius;
};

/// A link: where its frame is in its parent's, and what it weighs (Gaz et al., "Dynamic Identification of the Franka
/// Emika Panda Robot With Retrieval of Feasible Parameters", RA-L 2019). Inertia about the centre of mass: xx yy zz xy
/// xz yz.
struct Link {
  Vec3 position;
  std::array<double, 4> quaternion;  // w x y z, not normalised
  double mass;
  Vec3 centre;
  std::array<double, 6> inertia;
  std::array<Capsule, 2> capsules;  // radius 0: none
  double low, high;                 // of its joint
  double torque;
};

const Capsule kNone{Vec3::Zero(), Vec3::Zero(), 0};

const std::array<Link, kJoints>& links() {
  static const std::array<Link, kJoints> kLinks = {{
      {{0, 0, 0.333},
       {1, 0, 0, 0},
       4.970684,
       {0.003875, 0.002081, -0.04762},
       {0.70337, 0.70661, 0.009117, -0.000139, 0.006772, 0.019169},
       {{{{0, 0, -0.333}, {0, 0, -0.05}, 0.06}, kNone}},
       -2.8973,
       2.8973,
       87},
      {{0, 0, 0},
       {1, -1, 0, 0},
       0.646926,
       {-0.003141, -0.02872, 0.003495},
       {0.007962, 0.02811, 0.025995, -0.003925, 0.010254, 0.000704},
       {{{{0, 0, -0.06}, {0, 0, 0.06}, 0.06}, kNone}},
       -1.7628,
       1.7628,
       87},
      {{0, -0.316, 0},
       {1, 1, 0, 0},
       3.228604,
       {0.027518, 0.039252, -0.066502},
       {0.037242, 0.036155, 0.01083, -0.004761, -0.011396, -0.012805},
       {{{{0, 0, -0.22}, {0, 0, -0.07}, 0.06}, kNone}},
       -2.8973,
       2.8973,
       87},
      {{0.0825, 0, 0},
       {1, 1, 0, 0},
       3.587895,
       {-0.05317, 0.104419, 0.027454},
       {0.025853, 0.019552, 0.028323, 0.007796, -0.001332, 0.008641},
       {{{{0, 0, -0.06}, {0, 0, 0.06}, 0.06}, kNone}},
       -3.0718,
       -0.0698,
       87},
      {{-0.0825, 0.384, 0},
       {1, -1, 0, 0},
       1.225946,
       {-0.011953, 0.041065, -0.038437},
       {0.035549, 0.029474, 0.008627, -0.002117, -0.004037, 0.000229},
       {{{{0, 0, -0.31}, {0, 0, -0.21}, 0.06}, {{0, 0.08, -0.2}, {0, 0.08, -0.06}, 0.025}}},
       -2.8973,
       2.8973,
       12},
      {{0, 0, 0},
       {1, 1, 0, 0},
       1.666555,
       {0.060149, -0.014117, -0.010517},
       {0.001964, 0.004354, 0.005433, 0.000109, -0.001158, 0.000341},
       {{{{0, 0, -0.07}, {0, 0, 0.01}, 0.05}, kNone}},
       -0.0175,
       3.7525,
       12},
      {{0.088, 0, 0},
       {1, 1, 0, 0},
       0.735522,
       {0.010517, -0.004252, 0.061597},
       {0.012516, 0.010027, 0.004815, -0.000428, -0.001196, -0.000741},
       {{{{0, 0, -0.04}, {0, 0, 0.08}, 0.045}, kNone}},
       -2.8973,
       2.8973,
       12},
  }};
  return kLinks;
}

constexpr int kReachSteps = 100;
constexpr double kReached = 1e-7;       // metres and radians
constexpr double kReachDamping = 1e-2;  // vanishes with the error, which it would keep from doing so otherwise
constexpr double kLeastDamping = 1e-12;
constexpr double kLongestChange = 0.3;  // radians, of a joint in a step

const Vec3 kHandPosition(0, 0, 0.107);
constexpr double kHandTurn = -0.7853981633974483;  // about the flange's z

/// The arm touches all but itself.
constexpr const char* kArmGeom = "contype=\"2\" conaffinity=\"1\"";

std::string text_of(std::initializer_list<double> numbers) {
  std::ostringstream out;
  out.precision(17);
  const char* separator = "";
  for (const double number : numbers) {
    out << separator << number;
    separator = " ";
  }
  return out.str();
}
std::string text_of(const Vec3& v) {
  return text_of({v.x(), v.y(), v.z()});
}

std::string geom_of(const Capsule& capsule) {
  return cat("<geom type=\"capsule\" class=\"arm\" ", kArmGeom, " fromto=\"", text_of(capsule.from), ' ',
             text_of(capsule.to), "\" size=\"", text_of({capsule.radius}), "\"/>\n");
}

std::string inertial(double mass, const Vec3& centre, const std::array<double, 6>& i) {
  return cat("<inertial mass=\"", text_of({mass}), "\" pos=\"", text_of(centre), "\" fullinertia=\"",
             text_of({i[0], i[1], i[2], i[3], i[4], i[5]}), "\"/>\n");
}

std::string hand_body(std::string_view in_hand) {
  return cat("<body name=\"hand\" pos=\"", text_of(kHandPosition), "\" quat=\"",
             text_of({std::cos(kHandTurn / 2), 0, 0, std::sin(kHandTurn / 2)}), "\">\n",
             inertial(0.73, {-0.01, 0, 0.03}, {0.001, 0.0025, 0.0017, 0, 0, 0}),
             geom_of({{0, -0.05, 0.04}, {0, 0.05, 0.04}, 0.035}), "<geom type=\"box\" class=\"arm\" ", kArmGeom,
             " size=\"0.02 0.06 0.02\" pos=\"0 0 0.075\"/>\n", in_hand, "</body>\n");
}

/// The fixed part of each link's frame in its parent's.
const std::array<Pose, kJoints>& link_frames() {
  static const std::array<Pose, kJoints> kFrames = [] {
    std::array<Pose, kJoints> frames;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const Link& link = links()[i];
      const auto& q = link.quaternion;
      frames[i] = {Eigen::Quaterniond(q[0], q[1], q[2], q[3]).normalized().toRotationMatrix(), link.position};
    }
    return frames;
  }();
  return kFrames;
}

Mat3 about_z(double angle) {
  const double c = std::cos(angle);
  const double s = std::sin(angle);
  Mat3 turned;
  turned << c, -s, 0, s, c, 0, 0, 0, 1;
  return turned;
}

template <class Take>
Joints of_links(Take take) {
  Joints values;
  for (int i = 0; i < kJoints; ++i) values[i] = take(links()[static_cast<std::size_t>(i)]);
  return values;
}

}  // namespace

Vec3 rotation_vector(const Mat3& rotation) {
  const Eigen::Quaterniond q(rotation);
  const double sign = q.w() < 0 ? -1 : 1;  // else the angle is off by 2 pi
  const Vec3 axis = sign * q.vec();
  const double sine = axis.norm();
  if (sine < 1e-12) return 2 * axis;
  return 2 * std::atan2(sine, sign * q.w()) / sine * axis;
}

Mat3 rotation_of(const Vec3& rotation_vector) {
  const double angle = rotation_vector.norm();
  if (angle < 1e-12) return Mat3::Identity();
  return Eigen::AngleAxisd(angle, rotation_vector / angle).toRotationMatrix();
}

Twist pose_error(const Pose& wanted, const Pose& now) {
  Twist error;
  error << wanted.position - now.position, rotation_vector(wanted.rotation * now.rotation.transpose());
  return error;
}

ArmPose::ArmPose(const Joints& joints) {
  Pose at;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    at = at * link_frames()[i];
    at.rotation = at.rotation * about_z(joints[static_cast<int>(i)]);
    links_[i] = at;
  }
  static const Pose kHand{about_z(kHandTurn), kHandPosition};
  hand_ = at * kHand;
}

Jacobian3 ArmPose::of_point(const Vec3& point, int number) const {
  Jacobian3 jacobian = Jacobian3::Zero();
  for (int i = 0; i < number; ++i) {
    const Pose& link = links_[static_cast<std::size_t>(i)];
    jacobian.col(i) = link.rotation.col(2).cross(point - link.position);
  }
  return jacobian;
}

Jacobian3 ArmPose::of_rotation() const {
  Jacobian3 jacobian;
  for (int i = 0; i < kJoints; ++i) jacobian.col(i) = links_[static_cast<std::size_t>(i)].rotation.col(2);
  return jacobian;
}

Jacobian6 ArmPose::of_hand() const {
  Jacobian6 jacobian;
  jacobian << of_point(hand_.position), of_rotation();
  return jacobian;
}

const Joints& joints_low() {
  static const Joints kLow = of_links([](const Link& link) { return link.low; });
  return kLow;
}
const Joints& joints_high() {
  static const Joints kHigh = of_links([](const Link& link) { return link.high; });
  return kHigh;
}
bool within_limits(const Joints& joints, double margin) {
  return ((joints - joints_low()).array() >= margin).all() && ((joints_high() - joints).array() >= margin).all();
}
const Joints& torques_most() {
  static const Joints kMost = of_links([](const Link& link) { return link.torque; });
  return kMost;
}

Joints ready_joints(double yaw) {
  Joints joints;
  joints << yaw, -0.785, 0, -2.356, 0, 1.571, 0.785;
  return joints;
}

std::optional<Joints> reach(const Pose& hand, const Joints& from, double pull) {
  Joints joints = from;
  for (int step = 0; step < kReachSteps; ++step) {
    const ArmPose now(joints);
    const Twist error = pose_error(hand, now.hand());
    if (error.cwiseAbs().maxCoeff() < kReached) return joints;
    const Jacobian6 jacobian = now.of_hand();
    Eigen::Matrix<double, 6, 6> normal = jacobian * jacobian.transpose();
    normal.diagonal().array() += kReachDamping * error.squaredNorm() + kLeastDamping;
    const Joints back = pull * (from - joints);
    Joints change = back + jacobian.transpose() * normal.llt().solve(error - jacobian * back);
    const double longest = change.cwiseAbs().maxCoeff();
    if (longest > kLongestChange) change *= kLongestChange / longest;
    joints += change;
  }
  return std::nullopt;
}

std::string arm_bodies(std::string_view in_hand) {
  std::string text = geom_of({{-0.06, 0, 0.06}, {0.02, 0, 0.06}, 0.08});  // of link 0, which is the world's
  for (int i = 0; i < kJoints; ++i) {
    const Link& link = links()[static_cast<std::size_t>(i)];
    const auto& q = link.quaternion;
    text += cat("<body name=\"link", i + 1, "\" pos=\"", text_of(link.position), "\" quat=\"",
                text_of({q[0], q[1], q[2], q[3]}), "\">\n", inertial(link.mass, link.centre, link.inertia),
                "<joint name=\"joint", i + 1, "\" axis=\"0 0 1\" armature=\"0.1\" damping=\"0.5\" range=\"",
                text_of({link.low, link.high}), "\"/>\n");
    for (const Capsule& capsule : link.capsules) {
      if (capsule.radius > 0) text += geom_of(capsule);
    }
  }
  text += hand_body(in_hand);
  for (int i = 0; i < kJoints; ++i) text += "</body>\n";
  return text;
}

std::string arm_motors() {
  std::string text;
  for (int i = 0; i < kJoints; ++i) {
    const double most = torques_most()[i];
    text += cat("<motor joint=\"joint", i + 1, "\" ctrlrange=\"", text_of({-most, most}), "\"/>\n");
  }
  return text;
}

}  // namespace fleet::tools
