// What an episode draws, and the scene that it makes: the arm with a tool in its hand before a table with an object.
#pragma once

#include <cstdint>
#include <string>

#include "base/random.hpp"
#include "simulation/environment.hpp"
#include "tools/family.hpp"

namespace fleet::tools {

inline constexpr double kTableTop = 0.15;
inline constexpr double kTimestep = 0.004;  ///< seconds; the controller acts at 250 Hz
inline constexpr int kFrameSkip = 40;       ///< simulator steps in a step of the environment, which takes 0.16 s

/// What varies in an episode.
struct Episode {
  int tool = 0;
  int object = 0;
  Pose grip;     ///< of the tool in the hand
  double x = 0;  ///< of the object's frame on the table
  double y = 0;
  double yaw = 0;
  double friction = 1;
  Fields drawn;              ///< what the family draws besides
  Joints start;              ///< of the arm
  Vec3 overhead, wrist;      ///< where the cameras are: in the world, in the hand's frame
  std::uint64_t points = 0;  ///< names the stream that points are sampled from

  /// As it was made by draw_episode().
  static Episode of(const Family& family, const simulation::Variation& numbers);
};

/// Which of a tool's objects: those that demonstrations show, or those that are held out of them.
enum class Pairs { kShown, kHeldOut };

/// Objects that fit a tool.
[[nodiscard]] std::vector<int> objects_of(const Family& family, int tool, Pairs pairs);

/// An episode with this tool and this object, as numbers.
[[nodiscard]] simulation::Variation draw_episode(const Family& family, int tool, int object, RandomStream& stream);
/// The same with one of the tool's objects.
[[nodiscard]] simulation::Variation draw_episode(const Family& family, int tool, Pairs pairs, RandomStream& stream);

/// Fields of a tool, or of an object, together with what is drawn.
[[nodiscard]] Fields tool_fields(const Family& family, const Episode& episode);
[[nodiscard]] Fields object_fields(const Family& family, const Episode& episode);
[[nodiscard]] Vec3 evaluate(const PointFormula& point, const Fields& fields);

/// The scene as MJCF, the arm's joints first.
[[nodiscard]] std::string scene_text(const Family& family, const Episode& episode);

}  // namespace fleet::tools
