// Point clouds without a renderer: points on the surfaces of tool and object, of which an observation keeps those that
// one of two cameras sees.
#pragma once

#include <span>
#include <vector>

#include "simulation/engine.hpp"
#include "tools/scene.hpp"

namespace fleet::tools {

class PointCloud {
 public:
  static constexpr std::size_t kNumbers = 4;  ///< of a point: x, y, z in the hand's frame, and 0 for the tool, 1 else

  /// Bodies that points are of, and the hand's.
  struct Bodies {
    int tool = 0;
    std::vector<int> objects;
    int hand = 0;
    int points = 0;  ///< of the tool, and of the objects
  };

  /// Samples points of a new scene, three times as many as are to be seen, uniformly by area, from the episode's
  /// stream.
  void begin(const mjModel& model, const Bodies& bodies, const Episode& episode);

  /// Writes the first points that a camera sees, those of the tool first; where they are fewer than asked for, they are
  /// repeated, and where none is seen, all are taken. Allocates nothing.
  void look(const mjModel& model, mjData& data, std::span<double> into);

  /// A point of a geom's surface, in the geom's frame, and the direction out of it.
  struct SurfacePoint {
    int geom;
    Vec3 at;
    Vec3 out;
  };
  [[nodiscard]] const std::vector<SurfacePoint>& tool_points() const { return tool_points_; }
  [[nodiscard]] const std::vector<SurfacePoint>& object_points() const { return object_points_; }

 private:
  using Cameras = std::array<Vec3, 2>;
  [[nodiscard]] std::span<const int> choose(const mjModel& model, mjData& data, const Cameras& cameras,
                                            const std::vector<SurfacePoint>& points);
  void see(const mjModel& model, mjData& data, const Vec3& camera);

  Bodies bodies_;
  Vec3 overhead_, wrist_;
  std::vector<SurfacePoint> tool_points_, object_points_;
  // What look() works on: places in the world, whether each is seen, and rays to some of them.
  std::vector<Vec3> places_, outwards_;
  std::vector<char> seen_;
  std::vector<int> asked_, chosen_;
  std::vector<double> rays_, distances_;
  std::vector<int> hit_;
};

}  // namespace fleet::tools
