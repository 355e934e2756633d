// The words that experts are written in: h is the hand, o the object, o2 the second object, g the goal.
#pragma once

#include <cmath>

#include "metaworld/experts.hpp"

namespace fleet::metaworld::experts {

[[nodiscard]] inline Vec3 up(const Vec3& v, double z) {
  return {v.x(), v.y(), v.z() + z};
}

/// Horizontal distance.
[[nodiscard]] inline double apart(const Vec3& a, const Vec3& b) {
  return (a - b).head<2>().norm();
}

/// Difference in height.
[[nodiscard]] inline double rise(const Vec3& a, const Vec3& b) {
  return std::abs(a.z() - b.z());
}

/// Whether the hand is farther from the point than `radius` in the plane or `height` vertically: not the time to grip.
[[nodiscard]] inline bool away(const Vec3& hand, const Vec3& point, double radius, double height) {
  return apart(hand, point) > radius || rise(hand, point) > height;
}

}  // namespace fleet::metaworld::experts
