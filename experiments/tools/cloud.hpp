// Point clouds without a renderer: points on the surfaces of tool and object, of which an observation keeps those that
// one of two cameras sees.
#pragma once

#include <array>
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

  /// Samples points of a new scene, many times as many as are to be seen, from the episode's stream: uniformly by area
  /// on a body, and as many on each of the objects' bodies, so that a pin is not lost on its block.
  void begin(const mjModel& model, const Bodies& bodies, const Episode& episode);

  /// Writes points that a camera sees, those of the tool first, other ones at each look, as a camera has them: where
  /// they are fewer than asked for, they are repeated, and where none is seen, hidden ones are taken. Allocates
  /// nothing.
  void look(const mjModel& model, const mjData& data, std::span<double> into);

  /// A point of a geom's surface, in the geom's frame, and the direction out of it.
  struct SurfacePoint {
    int geom;
    Vec3 at;
    Vec3 out;
  };
  /// Some geoms, which are convex, and points on them.
  struct Surface {
    std::vector<int> geoms;
    std::vector<SurfacePoint> points;
  };
  [[nodiscard]] const Surface& tool() const { return tool_; }
  [[nodiscard]] const Surface& object() const { return object_; }

 private:
  using Place = SurfacePoint;  // in the world's frame
  /// A geom that may hide a surface, and the ball around it.
  struct Blocker {
    int geom;
    double radius;
    Vec3 center;
  };
  /// A camera, and what may come between it and the surface that it looks at.
  struct View {
    Vec3 camera;
    std::vector<Blocker> blockers;
    [[nodiscard]] bool sees(const mjModel& model, const mjData& data, const Place& place) const;
  };
  void aim(View& view, const mjModel& model, const mjData& data, const Surface& surface) const;
  void choose(const mjModel& model, const mjData& data, const Surface& surface);

  Bodies bodies_;
  Vec3 overhead_, wrist_;
  Surface tool_, object_;
  std::vector<int> opaque_;  // geoms
  std::array<View, 2> views_;
  std::size_t looks_ = 0;   // since begin()
  std::vector<Vec3> seen_;  // of the surface that is looked at, in the world's frame
};

}  // namespace fleet::tools
