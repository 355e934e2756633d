#include "tools/cloud.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace fleet::tools {
namespace {

constexpr std::size_t kSampled = 8;  // points of a surface for each that is to be seen
constexpr std::size_t kTried = 3;    // of these, in a look
constexpr double kSeen = 1e-3;       // metres that a ray may end before its point

using SurfacePoint = PointCloud::SurfacePoint;
using Surface = PointCloud::Surface;
using RotationMap = Eigen::Map<const Eigen::Matrix<double, 3, 3, Eigen::RowMajor>>;

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

/// The geoms of a body, and sums of their areas.
struct Skin {
  Skin(const mjModel& model, int body) {
    for (int geom = 0; geom < model.ngeom; ++geom) {
      if (model.geom_bodyid[geom] != body) continue;
      geoms.push_back(geom);
      sums.push_back((sums.empty() ? 0 : sums.back()) + area_of(model, geom));
    }
    require(!geoms.empty(), "the scene has a tool or an object without geoms");
  }

  std::vector<int> geoms;
  std::vector<double> sums;
};

/// From one body after another, in turn.
Surface sample(const mjModel& model, std::span<const int> bodies, std::size_t count, RandomStream& stream) {
  Surface surface;
  std::vector<Skin> skins;
  for (const int body : bodies) {
    const Skin& skin = skins.emplace_back(model, body);
    surface.geoms.insert(surface.geoms.end(), skin.geoms.begin(), skin.geoms.end());
  }
  for (std::size_t i = 0; i < count; ++i) {
    const Skin& skin = skins[i % skins.size()];
    const auto which = std::ranges::upper_bound(skin.sums, skin.sums.back() * stream.uniform()) - skin.sums.begin();
    const std::size_t geom = std::min(static_cast<std::size_t>(which), skin.geoms.size() - 1);
    surface.points.push_back(on_geom(model, skin.geoms[geom], stream));
  }
  return surface;
}

Vec3 center_of(const mjData& data, int geom) {
  return Vec3::Map(data.geom_xpos + 3 * geom);
}

/// Where a ray first meets a geom, in lengths of `way`; -1 where it does not.
double meets(const mjModel& model, const mjData& data, int geom, const Vec3& from, const Vec3& way) {
  switch (model.geom_type[geom]) {
    case mjGEOM_MESH:
    case mjGEOM_SDF:
      return mj_rayMesh(&model, &data, geom, from.data(), way.data());
    case mjGEOM_HFIELD:
      return mj_rayHfield(&model, &data, geom, from.data(), way.data());
    default:
      return mju_rayGeom(data.geom_xpos + 3 * geom, data.geom_xmat + 9 * geom, model.geom_size + 3 * geom, from.data(),
                         way.data(), model.geom_type[geom]);
  }
}

/// Whether one sees a geom at all.
bool is_opaque(const mjModel& model, int geom) {
  const int material = model.geom_matid[geom];
  return (material < 0 ? model.geom_rgba[4 * geom + 3] : model.mat_rgba[4 * material + 3]) > 0;
}

/// The place on the segment from `start` along `way` that is nearest to a point.
Vec3 nearest_on_ray(const Vec3& start, const Vec3& way, const Vec3& point) {
  return start + std::clamp((point - start).dot(way) / way.squaredNorm(), 0.0, 1.0) * way;
}

}  // namespace

void PointCloud::begin(const mjModel& model, const Bodies& bodies, const Episode& episode) {
  bodies_ = bodies;
  overhead_ = episode.overhead;
  wrist_ = episode.wrist;
  RandomStream stream(episode.points, Purpose::kRollout, 1);
  const std::size_t count = kSampled * static_cast<std::size_t>(bodies.points);
  tool_ = sample(model, std::span(&bodies.tool, 1), count, stream);
  object_ = sample(model, bodies.objects, count, stream);
  opaque_.clear();
  for (int geom = 0; geom < model.ngeom; ++geom) {
    if (is_opaque(model, geom)) opaque_.push_back(geom);
  }
  for (View& view : views_) view.blockers.reserve(opaque_.size());
  seen_.reserve(static_cast<std::size_t>(bodies.points));
  looks_ = 0;
}

void PointCloud::aim(View& view, const mjModel& model, const mjData& data, const Surface& surface) const {
  Vec3 middle = Vec3::Zero();
  for (const int geom : surface.geoms) middle += center_of(data, geom) / static_cast<double>(surface.geoms.size());
  double wide = 0;
  for (const int geom : surface.geoms) {
    wide = std::max(wide, (center_of(data, geom) - middle).norm() + model.geom_rbound[geom]);
  }
  view.blockers.clear();
  for (const int geom : opaque_) {
    const Vec3 center = center_of(data, geom);
    const bool endless = model.geom_type[geom] == mjGEOM_PLANE;
    const double radius = endless ? mjMAXVAL : model.geom_rbound[geom];
    const Vec3 passed = nearest_on_ray(view.camera, middle - view.camera, center);
    if ((passed - center).norm() <= wide + radius) view.blockers.push_back({geom, radius, center});
  }
}

bool PointCloud::View::sees(const mjModel& model, const mjData& data, const Place& place) const {
  const Vec3 way = place.at - camera;
  if (place.out.dot(way) >= 0) return false;  // it looks away
  const double near = 1 - kSeen / way.norm();
  return std::ranges::none_of(blockers, [&](const Blocker& blocker) {
    if (blocker.geom == place.geom) return false;  // it is convex
    const Vec3 passed = nearest_on_ray(camera, way, blocker.center);
    if ((passed - blocker.center).squaredNorm() > blocker.radius * blocker.radius) return false;
    const double hit = meets(model, data, blocker.geom, camera, way);
    return hit >= 0 && hit < near;
  });
}

/// Puts the places that a camera sees, as many as are wanted, into seen_.
void PointCloud::choose(const mjModel& model, const mjData& data, const Surface& surface) {
  const auto wanted = static_cast<std::size_t>(bodies_.points);
  for (View& view : views_) aim(view, model, data, surface);
  const auto placed = [&](const SurfacePoint& point) {
    const RotationMap rotation(data.geom_xmat + 9 * point.geom);
    return Place{point.geom, center_of(data, point.geom) + rotation * point.at, rotation * point.out};
  };
  seen_.clear();
  const auto point = [&](std::size_t i) -> const SurfacePoint& {
    return surface.points[(looks_ * wanted + i) % surface.points.size()];
  };
  for (std::size_t i = 0; i < kTried * wanted && seen_.size() < wanted; ++i) {
    const Place place = placed(point(i));
    const auto sees = [&](const View& view) { return view.sees(model, data, place); };
    if (std::ranges::any_of(views_, sees)) seen_.push_back(place.at);
  }
  if (!seen_.empty()) return;
  for (std::size_t i = 0; i < wanted; ++i) seen_.push_back(placed(point(i)).at);
}

void PointCloud::look(const mjModel& model, const mjData& data, std::span<double> into) {
  const Mat3 rotation = RotationMap(data.xmat + 9 * bodies_.hand);
  const Vec3 position = Vec3::Map(data.xpos + 3 * bodies_.hand);
  views_[0].camera = overhead_;
  views_[1].camera = rotation * wrist_ + position;
  double* next = into.data();
  for (const Surface* surface : {&tool_, &object_}) {
    choose(model, data, *surface);
    for (std::size_t i = 0; i < static_cast<std::size_t>(bodies_.points); ++i) {
      Vec3::Map(next) = rotation.transpose() * (seen_[i % seen_.size()] - position);
      next[3] = surface == &object_ ? 1 : 0;
      next += kNumbers;
    }
  }
  ++looks_;
}

}  // namespace fleet::tools
