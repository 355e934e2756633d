#include "tools/expert.hpp"

#include <Eigen/LU>
#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace fleet::tools {
namespace {

constexpr double kTowardsNeighbour = 0.3;
constexpr int kNewtonSteps = 12;
constexpr double kConverged = 1e-6;
constexpr double kNearSpread = 0.3;  // radians, of starts near the present joints
constexpr double kFarSpread = 0.6;
constexpr int kNearStarts = 3;
constexpr int kFarStarts = 6;

bool within(const Joints& joints, double share_of_margin) {
  const Joints low = joints_low() + share_of_margin * (PostureProblem::low() - joints_low());
  const Joints high = joints_high() - share_of_margin * (joints_high() - PostureProblem::high());
  return (joints.array() >= low.array()).all() && (joints.array() <= high.array()).all();
}

/// Joints of a pose near those of a neighbour.
std::optional<Joints> follow(const Pose& pose, const Joints& neighbour) {
  std::optional<Joints> joints = reach(pose, neighbour, kTowardsNeighbour);
  return joints && within(*joints, 1) ? joints : std::nullopt;
}

std::vector<double> times_of(const Family& family) {
  std::vector<double> times = {0};
  for (const KeyFrame& frame : family.motion.frames) times.push_back(frame.time);
  return times;
}

/// The direction forward, horizontal, for a tool whose hand is there.
Vec3 forward_of(const Situation& situation, const Pose& hand) {
  const Motion& motion = situation.family->motion;
  const auto from = static_cast<std::size_t>(motion.forward.first);
  const auto to = static_cast<std::size_t>(motion.forward.second);
  Vec3 forward = motion.of_tool ? Vec3(hand.rotation * (situation.tool[to] - situation.tool[from]))
                                : Vec3(situation.object[to] - situation.object[from]);
  forward.z() = 0;
  const double length = forward.norm();
  return length > 0 ? Vec3(forward / length) : Vec3::Zero();
}

/// Newton's system of the smoothing problem: 7 unknowns and 6 multipliers a key frame.
class Smoothing {
 public:
  Smoothing(const Situation& situation, const std::vector<Pose>& poses)
      : situation_(situation), poses_(poses), times_(times_of(*situation.family)) {}

  /// How far the step that it took went, and how far the poses were missed before it.
  struct Progress {
    double step;
    double missed;
  };
  Progress improve(std::vector<Joints>& knots) const {
    const auto count = static_cast<Eigen::Index>(knots.size());
    const Eigen::Index joints = kJoints * count;
    Eigen::MatrixXd system = Eigen::MatrixXd::Zero(joints + 6 * count, joints + 6 * count);
    Eigen::VectorXd right = Eigen::VectorXd::Zero(joints + 6 * count);
    double missed = 0;
    for (Eigen::Index k = 0; k < count; ++k) {
      add_lengths(system, right, knots, k);
      const auto i = static_cast<std::size_t>(k);
      const ArmPose arm(knots[i]);
      const Twist error = pose_error(poses_[i], arm.hand());
      missed = std::max(missed, error.cwiseAbs().maxCoeff());
      const Jacobian6 jacobian = arm.of_hand();
      system.block<6, kJoints>(joints + 6 * k, kJoints * k) = jacobian;
      system.block<kJoints, 6>(kJoints * k, joints + 6 * k) = jacobian.transpose();
      right.segment<6>(joints + 6 * k) = error;
    }
    const Eigen::VectorXd solution = system.partialPivLu().solve(right);
    for (Eigen::Index k = 0; k < count; ++k) {
      knots[static_cast<std::size_t>(k)] += solution.segment<kJoints>(kJoints * k);
    }
    return {.step = solution.head(joints).cwiseAbs().maxCoeff(), .missed = missed};
  }

 private:
  /// The part of the objective that knot k has: Hessian, and the negative gradient.
  void add_lengths(Eigen::MatrixXd& system, Eigen::VectorXd& right, const std::vector<Joints>& knots,
                   Eigen::Index k) const {
    const auto i = static_cast<std::size_t>(k);
    const auto add = [&](std::size_t earlier, const Joints& other, Eigen::Index column) {
      const double weight = 2 / (times_[earlier + 1] - times_[earlier]);
      system.block<kJoints, kJoints>(kJoints * k, kJoints * k).diagonal().array() += weight;
      if (column >= 0) {
        system.block<kJoints, kJoints>(kJoints * k, kJoints * column).diagonal().array() -= weight;
      }
      right.segment<kJoints>(kJoints * k) -= weight * (knots[i] - other);
    };
    add(i, k > 0 ? knots[i - 1] : situation_.joints, k - 1);
    if (i + 1 < knots.size()) add(i + 1, knots[i + 1], k + 1);
  }

  const Situation& situation_;
  const std::vector<Pose>& poses_;
  std::vector<double> times_;
};

/// Three-point slopes at the ends, and harmonic means within: Fritsch and Carlson's, so that no extremum arises.
double slope_at_end(double h0, double h1, double d0, double d1) {
  const double slope = ((2 * h0 + h1) * d0 - h0 * d1) / (h0 + h1);
  if (slope * d0 <= 0) return 0;
  if (d0 * d1 <= 0 && std::abs(slope) > 3 * std::abs(d0)) return 3 * d0;
  return slope;
}
double slope_within(double h0, double h1, double d0, double d1) {
  if (d0 * d1 <= 0) return 0;
  const double w0 = 2 * h1 + h0;
  const double w1 = h1 + 2 * h0;
  return (w0 + w1) / (w0 / d0 + w1 / d1);
}

}  // namespace

Path::Path(std::vector<double> times, std::vector<Joints> knots)
    : times_(std::move(times)), knots_(std::move(knots)), slopes_(knots_.size()) {
  const std::size_t last = knots_.size() - 1;
  for (int j = 0; j < kJoints; ++j) {
    const auto length = [&](std::size_t k) { return times_[k + 1] - times_[k]; };
    const auto rate = [&](std::size_t k) { return (knots_[k + 1][j] - knots_[k][j]) / length(k); };
    if (last == 1) {
      slopes_[0][j] = slopes_[1][j] = rate(0);
      continue;
    }
    slopes_[0][j] = slope_at_end(length(0), length(1), rate(0), rate(1));
    slopes_[last][j] = slope_at_end(length(last - 1), length(last - 2), rate(last - 1), rate(last - 2));
    for (std::size_t k = 1; k < last; ++k) {
      slopes_[k][j] = slope_within(length(k - 1), length(k), rate(k - 1), rate(k));
    }
  }
}

Joints Path::at(double time) const {
  if (time <= 0) return knots_.front();
  if (time >= times_.back()) return knots_.back();
  const auto next = static_cast<std::size_t>(std::ranges::upper_bound(times_, time) - times_.begin());
  const std::size_t k = next - 1;
  const double length = times_[next] - times_[k];
  const double s = (time - times_[k]) / length;
  const double s2 = s * s;
  const double s3 = s2 * s;
  return (2 * s3 - 3 * s2 + 1) * knots_[k] + (s3 - 2 * s2 + s) * length * slopes_[k] +
         (3 * s2 - 2 * s3) * knots_[next] + (s3 - s2) * length * slopes_[next];
}

std::vector<Pose> key_poses(const Situation& situation, const Joints& posture) {
  const Pose hand = ArmPose(posture).hand();
  const Vec3 head = hand * situation.tool[static_cast<std::size_t>(ToolKeypoint::kHead)];
  const Vec3 forward = forward_of(situation, hand);
  const Vec3 right = forward.cross(Vec3::UnitZ());
  std::vector<Pose> poses;
  for (const KeyFrame& frame : situation.family->motion.frames) {
    const Mat3 turned = rotation_of(frame.turn * Vec3::UnitZ()) * rotation_of(frame.tilt * right);
    poses.push_back({turned * hand.rotation,
                     head + turned * (hand.position - head) + frame.forward * forward + frame.up * Vec3::UnitZ()});
  }
  return poses;
}

std::optional<std::vector<Joints>> first_knots(const Situation& situation, const Joints& posture,
                                               const std::vector<Pose>& poses) {
  const Motion& motion = situation.family->motion;
  std::vector<Joints> knots(poses.size());
  // The frames up to the one that acts backwards, the others forwards.
  std::size_t later = 0;
  while (later < poses.size() && motion.frames[later].time <= motion.acts_at) ++later;
  Joints neighbour = posture;
  for (std::size_t k = later; k-- > 0;) {
    const auto found = follow(poses[k], neighbour);
    if (!found) return std::nullopt;
    knots[k] = neighbour = *found;
  }
  neighbour = later > 0 && motion.frames[later - 1].time == motion.acts_at ? knots[later - 1] : posture;
  for (std::size_t k = later; k < poses.size(); ++k) {
    const auto found = follow(poses[k], neighbour);
    if (!found) return std::nullopt;
    knots[k] = neighbour = *found;
  }
  return knots;
}

double path_cost(const Situation& situation, const std::vector<Joints>& knots) {
  const std::vector<double> times = times_of(*situation.family);
  double sum = 0;
  for (std::size_t k = 0; k < knots.size(); ++k) {
    const Joints& before = k > 0 ? knots[k - 1] : situation.joints;
    sum += (knots[k] - before).squaredNorm() / (times[k + 1] - times[k]);
  }
  return sum;
}

std::vector<Joints> smooth_knots(const Situation& situation, const std::vector<Pose>& poses,
                                 const std::vector<Joints>& first) {
  const Smoothing smoothing(situation, poses);
  std::vector<Joints> knots = first;
  for (int step = 0; step < kNewtonSteps; ++step) {
    const Smoothing::Progress progress = smoothing.improve(knots);
    if (!std::isfinite(progress.step)) return first;
    if (progress.step < kConverged && progress.missed < kConverged) {
      const bool kept = std::ranges::all_of(knots, [](const Joints& each) { return within(each, 0.5); });
      return kept && path_cost(situation, knots) <= path_cost(situation, first) ? knots : first;
    }
  }
  return first;
}

std::optional<Path> plan(const Situation& situation, const IsClear& is_clear, RandomStream& stream) {
  const auto near = [&](const Joints& middle, double spread, int count) {
    std::vector<Joints> starts(static_cast<std::size_t>(count), middle);
    for (Joints& start : starts) {
      for (double& angle : start) angle += spread * stream.normal();
    }
    return starts;
  };
  struct Round {
    std::vector<Joints> starts;
    int candidates;
  };
  const int all = situation.family->symmetry();
  const std::vector<Joints> present = {situation.joints};
  const std::vector<Joints> around = near(situation.joints, kNearSpread, kNearStarts);
  const std::vector<Joints> far = near(situation.rest, kFarSpread, kFarStarts);
  for (const Round& round :
       {Round{present, 1}, Round{around, 1}, Round{present, all}, Round{around, all}, Round{far, all}}) {
    std::vector<Posture> found;
    for (int candidate = 0; candidate < round.candidates; ++candidate) {
      const PostureProblem problem(situation, candidate);
      for (const Joints& start : round.starts) {
        if (const auto posture = solve_posture(problem, start)) found.push_back(*posture);
      }
    }
    std::ranges::stable_sort(found, {}, &Posture::cost);
    for (const Posture& posture : found) {
      const std::vector<Pose> poses = key_poses(situation, posture.joints);
      const auto knots = first_knots(situation, posture.joints, poses);
      if (!knots) continue;
      std::vector<Joints> through = smooth_knots(situation, poses, *knots);
      through.insert(through.begin(), situation.joints);
      Path path(times_of(*situation.family), std::move(through));
      if (is_clear(path)) return path;
    }
  }
  return std::nullopt;
}

namespace {

/// Of a posture that acts: the first frame that cannot be reached from it, by a way of its own or by the others'.
std::string why_not_from(const Situation& situation, const Joints& posture) {
  const std::vector<KeyFrame>& frames = situation.family->motion.frames;
  const std::vector<Pose> poses = key_poses(situation, posture);
  for (std::size_t k = 0; k < poses.size(); ++k) {
    if (!follow(poses[k], posture)) return cat("the arm does not reach the frame at ", frames[k].time, " s");
  }
  if (!first_knots(situation, posture, poses)) return "the arm does not reach its frames one from another";
  return cat("the arm or the tool would touch something on the way, before ", situation.family->motion.clear_until,
             " s");
}

}  // namespace

std::string why_no_plan(const Situation& situation) {
  PostureProblem::Missed least{.by = std::numeric_limits<double>::infinity()};
  for (int candidate = 0; candidate < situation.family->symmetry(); ++candidate) {
    const PostureProblem problem(situation, candidate);
    for (const Joints& start : {situation.joints, situation.rest}) {
      if (const auto found = solve_posture(problem, start)) return why_not_from(situation, found->joints);
      const PostureProblem::Missed missed = problem.most_missed(nearest_posture(problem, start).joints);
      if (missed.by < least.by) least = missed;
    }
  }
  if (least.constraint < 0) return "no posture that meets the constraints keeps the hand clear of the table";
  const Constraint& constraint = situation.family->constraints[static_cast<std::size_t>(least.constraint)];
  const bool place = constraint.kind == Constraint::Kind::kPlace;
  return cat("no posture was found that meets the constraints; the nearest misses constraints.", least.constraint,
             place ? " (place) by " : " (along) by ", least.by, place ? " m" : ", a cosine");
}

}  // namespace fleet::tools
