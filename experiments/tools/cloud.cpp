#include "tools/cloud.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"

namespace fleet::tools {
namespace {

constexpr std::size_t kOversampling = 3;
constexpr double kSeen = 1e-3;  // metres that a ray may end before its point

using SurfacePoint = PointCloud::SurfacePoint;

/// A place on the unit sphere.
Vec3 on_sphere(RandomStream& stream) {
  const double z = 2 * stream.uniform() - 1;
  const double angle = 2 * M_PI * stream.uniform();
  const double r = std::sqrt(1 - z * z);
  return {r * std::cos(angle), r * std::sin(angle), z};
}

double area_of(const mjModel& model, int geom) {
  const double* size = model.geom_size + 3 * geom;
  switch (model.geom_type[geom]) {
    case mjGEOM_BOX:
      return 8 * (size[0] * size[1] + size[1] * size[2] + size[2] * size[0]);
    case mjGEOM_CYLINDER:
      return 2 * M_PI * size[0] * (2 * size[1] + size[0]);
    case mjGEOM_CAPSULE:
      return 2 * M_PI * size[0] * (2 * size[1] + 2 * size[0]);
    case mjGEOM_SPHERE:
      return 4 * M_PI * size[0] * size[0];
    default:
      throw Error("a point cloud is of boxes, cylinders, capsules and spheres alone");
  }
}

SurfacePoint on_box(const double* size, RandomStream& stream) {
  const double x = size[1] * size[2];  // shares of the faces
  const double y = size[2] * size[0];
  const double z = size[0] * size[1];
  const double which = (x + y + z) * stream.uniform();
  const int axis = which < x ? 0 : which < x + y ? 1 : 2;
  const double side = stream.below(2) == 0 ? -1 : 1;
  SurfacePoint point{.geom = 0, .at = Vec3::Zero(), .out = Vec3::Zero()};
  for (int i = 0; i < 3; ++i) point.at[i] = i == axis ? side * size[i] : size[i] * (2 * stream.uniform() - 1);
  point.out[axis] = side;
  return point;
}

/// On a cylinder, or on a capsule, whose ends are halves of a sphere.
SurfacePoint on_tube(const double* size, bool round, RandomStream& stream) {
  const double side = 2 * size[1];
  const double ends = round ? 2 * size[0] : size[0];
  const bool at_side = (side + ends) * stream.uniform() < side;
  const double angle = 2 * M_PI * stream.uniform();
  if (at_side) {
    const Vec3 out(std::cos(angle), std::sin(angle), 0);
    return {0, size[0] * out + Vec3(0, 0, size[1] * (2 * stream.uniform() - 1)), out};
  }
  if (round) {
    const Vec3 out = on_sphere(stream);
    return {0, size[0] * out + Vec3(0, 0, std::copysign(size[1], out.z())), out};
  }
  const double up = stream.below(2) == 0 ? -1 : 1;
  const double r = size[0] * std::sqrt(stream.uniform());
  return {0, {r * std::cos(angle), r * std::sin(angle), up * size[1]}, {0, 0, up}};
}

SurfacePoint on_geom(const mjModel& model, int geom, RandomStream& stream) {
  const double* size = model.geom_size + 3 * geom;
  SurfacePoint point;
  switch (model.geom_type[geom]) {
    case mjGEOM_BOX:
      point = on_box(size, stream);
      break;
    case mjGEOM_SPHERE: {
      const Vec3 out = on_sphere(stream);
      point = {0, size[0] * out, out};
      break;
    }
    default:
      point = on_tube(size, model.geom_type[geom] == mjGEOM_CAPSULE, stream);
  }
  point.geom = geom;
  return point;
}

std::vector<SurfacePoint> sample(const mjModel& model, std::span<const int> bodies, std::size_t count,
                                 RandomStream& stream) {
  std::vector<int> geoms;
  std::vector<double> reach;  // sums of areas
  for (int geom = 0; geom < model.ngeom; ++geom) {
    if (std::ranges::find(bodies, model.geom_bodyid[geom]) == bodies.end()) continue;
    geoms.push_back(geom);
    reach.push_back((reach.empty() ? 0 : reach.back()) + area_of(model, geom));
  }
  require(!geoms.empty(), "the scene has a tool or an object without geoms");
  std::vector<SurfacePoint> points;
  for (std::size_t i = 0; i < count; ++i) {
    const double at = reach.back() * stream.uniform();
    const auto which = static_cast<std::size_t>(std::ranges::upper_bound(reach, at) - reach.begin());
    points.push_back(on_geom(model, geoms[std::min(which, geoms.size() - 1)], stream));
  }
  return points;
}

}  // namespace

void PointCloud::begin(const mjModel& model, const Bodies& bodies, const Episode& episode) {
  bodies_ = bodies;
  overhead_ = episode.overhead;
  wrist_ = episode.wrist;
  RandomStream stream(episode.points, Purpose::kRollout, 1);
  const std::size_t count = kOversampling * static_cast<std::size_t>(bodies.points);
  tool_points_ = sample(model, std::span(&bodies.tool, 1), count, stream);
  object_points_ = sample(model, bodies.objects, count, stream);
  places_.resize(count);
  outwards_.resize(count);
  seen_.resize(count);
  asked_.reserve(count);
  chosen_.reserve(count);
  rays_.resize(3 * count);
  distances_.resize(count);
  hit_.resize(count);
}

/// Marks the places asked for that nothing hides from a camera.
void PointCloud::see(const mjModel& model, mjData& data, const Vec3& camera) {
  std::erase_if(asked_, [&](int i) {  // what looks away
    const auto at = static_cast<std::size_t>(i);
    return outwards_[at].dot(camera - places_[at]) <= 0;
  });
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    Vec3::Map(&rays_[3 * i]) = (places_[static_cast<std::size_t>(asked_[i])] - camera).normalized();
  }
  mj_multiRay(&model, &data, camera.data(), rays_.data(), nullptr, 1, -1, hit_.data(), distances_.data(),
              static_cast<int>(asked_.size()), mjMAXVAL);
  for (std::size_t i = 0; i < asked_.size(); ++i) {
    const auto at = static_cast<std::size_t>(asked_[i]);
    const double far = (places_[at] - camera).norm();
    if (distances_[i] < 0 || distances_[i] > far - kSeen) seen_[at] = 1;
  }
}

std::span<const int> PointCloud::choose(const mjModel& model, mjData& data, const Cameras& cameras,
                                        const std::vector<SurfacePoint>& points) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>> rotation(data.geom_xmat + 9 * points[i].geom);
    places_[i] = rotation * points[i].at + Vec3::Map(data.geom_xpos + 3 * points[i].geom);
    outwards_[i] = rotation * points[i].out;
  }
  std::ranges::fill(seen_, 0);
  chosen_.clear();
  const auto wanted = static_cast<std::size_t>(bodies_.points);
  // A share at a time, until enough are seen.
  for (std::size_t from = 0; from < points.size() && chosen_.size() < wanted; from += wanted) {
    for (const Vec3& camera : cameras) {
      asked_.clear();
      for (std::size_t i = from; i < from + wanted; ++i) {
        if (seen_[i] == 0) asked_.push_back(static_cast<int>(i));
      }
      see(model, data, camera);
    }
    for (std::size_t i = from; i < from + wanted && chosen_.size() < wanted; ++i) {
      if (seen_[i] != 0) chosen_.push_back(static_cast<int>(i));
    }
  }
  if (chosen_.empty()) {
    for (std::size_t i = 0; i < wanted; ++i) chosen_.push_back(static_cast<int>(i));
  }
  return chosen_;
}

void PointCloud::look(const mjModel& model, mjData& data, std::span<double> into) {
  const Mat3 rotation = Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>(data.xmat + 9 * bodies_.hand);
  const Vec3 position = Vec3::Map(data.xpos + 3 * bodies_.hand);
  const Cameras cameras = {overhead_, Vec3(rotation * wrist_ + position)};
  double* next = into.data();
  for (const bool of_object : {false, true}) {
    const std::span<const int> seen = choose(model, data, cameras, of_object ? object_points_ : tool_points_);
    for (int i = 0; i < bodies_.points; ++i) {
      const int point = seen[static_cast<std::size_t>(i) % seen.size()];
      Vec3::Map(next) = rotation.transpose() * (places_[static_cast<std::size_t>(point)] - position);
      next[3] = of_object ? 1 : 0;
      next += kNumbers;
    }
  }
}

}  // namespace fleet::tools
