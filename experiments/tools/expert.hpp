// The expert: a posture that acts, key frames about it, and a smooth path through them (the paper's C.8 to C.10),
// planned once an episode.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "tools/posture.hpp"

namespace fleet::tools {

/// Joints over time: a shape-preserving cubic through knots (Fritsch and Carlson, 1980), which never leaves the range
/// of two neighbours; the last knot's from then on.
class Path {
 public:
  /// At least two knots, at growing times from 0 on.
  Path(std::vector<double> times, std::vector<Joints> knots);

  [[nodiscard]] Joints at(double time) const;
  [[nodiscard]] const std::vector<double>& times() const { return times_; }
  [[nodiscard]] const std::vector<Joints>& knots() const { return knots_; }

 private:
  std::vector<double> times_;
  std::vector<Joints> knots_;
  std::vector<Joints> slopes_;
};

/// The hand's poses at the key frames of a posture.
[[nodiscard]] std::vector<Pose> key_poses(const Situation& situation, const Joints& posture);

/// Joints at the key frames, near their neighbours, from the posture outwards; nothing if some pose is not reached
/// within the limits of PostureProblem.
[[nodiscard]] std::optional<std::vector<Joints>> first_knots(const Situation& situation, const Joints& posture,
                                                             const std::vector<Pose>& poses);

/// Joints that pass through the same poses on the shortest way: min sum_k |q_k+1 - q_k|^2 / (t_k+1 - t_k) from the
/// situation's joints on, by Newton's method on the conditions of first order (the paper's C.8 to C.10). The first
/// knots where that does not converge, or comes nearer to a limit than half its margin.
[[nodiscard]] std::vector<Joints> smooth_knots(const Situation& situation, const std::vector<Pose>& poses,
                                               const std::vector<Joints>& first);
/// What is minimised.
[[nodiscard]] double path_cost(const Situation& situation, const std::vector<Joints>& knots);

/// Whether the arm and the tool of a scene stay clear of all else on the way.
using IsClear = std::function<bool(const Path& path)>;

/// A path from the present joints through all key frames. Postures are searched for from the present one and from
/// others near it and near the rest, drawn from `stream`; the cheapest whose path can be gone is taken. Nothing if none
/// is found.
[[nodiscard]] std::optional<Path> plan(const Situation& situation, const IsClear& is_clear, RandomStream& stream);

/// What stood in the way where plan() has found nothing, for those who write a family: the constraint that is missed,
/// the frame that is not reached, or that the way is not clear.
[[nodiscard]] std::string why_no_plan(const Situation& situation);

}  // namespace fleet::tools
