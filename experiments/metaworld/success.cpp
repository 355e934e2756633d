#include "metaworld/success.hpp"

#include <cmath>
#include <limits>

namespace fleet::metaworld::measures {

double distance(const Situation& s) {
  return (s.object - s.target).norm();
}
double along_x(const Situation& s) {
  return std::abs(s.object.x() - s.target.x());
}
double along_y(const Situation& s) {
  return std::abs(s.object.y() - s.target.y());
}
double along_z(const Situation& s) {
  return std::abs(s.object.z() - s.target.z());
}
double horizontal(const Situation& s) {
  return (s.object - s.target).head<2>().norm();
}
double fingers_distance(const Situation& s) {
  return (s.fingers - s.target).norm();
}
namespace {
/// Never small enough.
constexpr double kFailure = std::numeric_limits<double>::infinity();
}  // namespace

double nut_round_peg(const Situation& s) {
  return s.probe.z() < s.target.z() ? (s.probe - s.target).head<2>().norm() : kFailure;
}
double nut_below_top(const Situation& s) {
  return s.target.z() - s.object.z();
}
double ball_to_hoop(const Situation& s) {
  const Vec3 hoop(s.target.x(), s.target.y(), 0.3);
  return (s.object - hoop).cwiseProduct(Vec3(1, 1, 2)).norm();
}
double faucet_opened(const Situation& s) {
  return (s.object + Vec3(-0.04, 0, 0.03) - s.target).norm();
}
double nail_left(const Situation& s) {
  return -s.joint;
}
double lever_angle(const Situation& s) {
  return std::abs(-s.joint - M_PI / 2);
}
double peg_head_to_hole(const Situation& s) {
  return (s.probe - s.target).cwiseProduct(Vec3(1, 2, 2)).norm();
}
double thermos_pushed(const Situation& s) {
  const bool held = s.grasped && s.opening > 0 && s.object.z() - 0.01 > 0.02;
  return held ? (s.second - s.target).norm() : kFailure;
}
double thermos_pulled(const Situation& s) {
  const bool inserted = s.probe.x() >= s.second.x() && std::abs(s.probe.y() - s.second.y()) <= 0.04 &&
                        std::abs(s.probe.z() - s.second.z()) <= 0.06;
  return inserted ? (s.second - s.target).norm() : kFailure;
}

}  // namespace fleet::metaworld::measures
