// A family of tools as data: what tools and objects are made of, where they may be, how a tool meets an object, how it
// moves on from there, and what success is. Read from a TOML file: docs/workloads/tools/family.md
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/settings.hpp"
#include "tools/arm.hpp"
#include "tools/formula.hpp"

namespace fleet::tools {

/// What is drawn uniformly, and from where.
struct Interval {
  double low = 0;
  double high = 0;
};
struct NamedInterval {
  std::string name;
  Interval interval;
};

/// A point in a frame, as formulas.
using PointFormula = std::array<std::string, 3>;

/// A keypoint of an object: a point that a body carries along.
struct ObjectKeypoint {
  std::string name;
  std::string body;
  PointFormula at;
};

/// The frame of a tool in the hand's: turned about the hand's x, y, z in this order, then moved.
struct Grip {
  Interval about_x, about_y, about_z, x, z;
};

/// A direction in the world: a vector, or that from one of the object's keypoints to the other.
struct Direction {
  Vec3 vector = Vec3::Zero();
  std::optional<std::pair<int, int>> keypoints;
  double turned = 0;  ///< about the vertical
};

/// Keypoints of a tool: what acts, what it is aligned by, and what says how it is turned.
enum class ToolKeypoint { kHead, kTail, kSide };
inline constexpr int kToolKeypoints = 3;
inline constexpr int kObjectKeypoints = 2;

/// What holds in the posture that acts.
struct Constraint {
  enum class Kind {
    kPlace,  ///< the tool's keypoint is at the middle of `at`, moved by `offset`, or at `height` over the table
    kAlong,  ///< the direction between two of the tool's keypoints is that of `with`
    kAngle,  ///< its cosine with `with` is `cosine`
  };
  Kind kind = Kind::kPlace;
  ToolKeypoint from = ToolKeypoint::kHead;  ///< of kPlace: which
  ToolKeypoint to = ToolKeypoint::kHead;
  std::vector<int> at;  ///< keypoints of the object
  Vec3 offset = Vec3::Zero();
  std::optional<double> height;
  Direction with;
  double cosine = 0;
  /// So many directions, `with` turned by equal angles about the vertical, are as good; the first is preferred.
  int symmetry = 1;
};

/// A pose of the hand, told by how it differs from that of the posture that acts.
struct KeyFrame {
  double time = 0;     ///< seconds from the start
  double forward = 0;  ///< along Motion's direction
  double up = 0;
  double turn = 0;  ///< about the vertical through the tool's head
  double tilt = 0;  ///< of the front upwards, about the tool's head
};

struct Motion {
  /// Its horizontal part is the direction forward: between two keypoints of the tool in the posture that acts, or of
  /// the object as it lies.
  bool of_tool = true;
  std::pair<int, int> forward{1, 0};
  double acts_at = 0;  ///< seconds at which the tool meets the object; a push shortly before, or later, would spoil it
  double clear_until = 0;  ///< seconds until which arm and tool touch nothing
  std::vector<KeyFrame> frames;
};

struct Success {
  enum class Measure {
    kJoint,  ///< position of a joint
    kRise,   ///< how far a body is above where it was
    kApart,  ///< how much farther two bodies are from each other than they were
  };
  Measure measure = Measure::kJoint;
  std::vector<std::string> names;  ///< the joint, the body, or the bodies
  double limit = 0;
  bool above = true;  ///< or below the limit
  double after = 0;   ///< seconds
};

/// A tool or an object: a text of MJCF over the fields of its instances.
struct Things {
  std::string mjcf;
  std::vector<Fields> instances;
};

struct Family {
  std::string name;
  std::string file;  ///< that it was read from, for messages
  int steps = 0;
  std::vector<std::pair<int, int>> held_out;  ///< pairs of tool and object

  Things tools;
  std::array<PointFormula, kToolKeypoints> tool_keypoints;
  Grip grip;

  Things objects;
  std::string contact;  ///< MJCF of the element contact
  std::vector<ObjectKeypoint> object_keypoints;
  Interval x, y, yaw;
  std::vector<NamedInterval> draws;
  std::vector<std::string> fits;  ///< formulas over tool.FIELD and object.FIELD, each less than the next

  std::vector<Constraint> constraints;
  Motion motion;
  Success success;

  /// Of the formulas in `fits`.
  [[nodiscard]] std::vector<double> fit_values(int tool, int object) const;
  /// Whether this tool fits this object.
  [[nodiscard]] bool fit(int tool, int object) const;
  [[nodiscard]] bool is_held_out(int tool, int object) const;
  /// Of the constraint with the most directions.
  [[nodiscard]] int symmetry() const;
};

/// Of a file's text. ConfigError naming the file, and line, column and key where there are any,
/// for what is missing, unknown, of another type, or no formula, and for a tool that fits no object.
[[nodiscard]] Family parse_family(std::string_view name, std::string_view toml, std::string_view file_name);

/// The families that come with the program, and their texts.
[[nodiscard]] const std::vector<std::pair<std::string, std::string>>& own_families();

}  // namespace fleet::tools
