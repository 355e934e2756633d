#include "tools/posture.hpp"

#include <nlopt.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.hpp"
#include "tools/scene.hpp"

namespace fleet::tools {
namespace {

constexpr double kJointCost = 0.02;
constexpr double kFirstJointWeight = 10;
constexpr double kHandClearance = 0.012;  // metres over the table
constexpr double kLinkClearance = 0.09;
constexpr double kEqualityTolerance = 1e-5;
constexpr double kStop = 1e-7;
constexpr int kMostEvaluations = 150;
constexpr double kHolds = 1e-4;

/// Points around the hand, in its frame, that stay over the table.
const std::array<Vec3, 5>& hand_points() {
  static const std::array<Vec3, 5> kPoints = {Vec3(0, 0.06, 0.09), Vec3(0, -0.06, 0.09), Vec3(0, 0, 0),
                                              Vec3(0.03, 0, 0.08), Vec3(-0.03, 0, 0.08)};
  return kPoints;
}

/// Writes rows of gradients after another.
class Rows {
 public:
  Rows(double* values, double* gradients) : values_(values), gradients_(gradients) {}
  template <class Row>
  void add(double value, const Row& gradient) {
    *values_++ = value;
    if (gradients_ == nullptr) return;
    Eigen::Map<Eigen::Matrix<double, 1, kJoints>> row(gradients_);
    row = gradient;
    gradients_ += kJoints;
  }

 private:
  double* values_;
  double* gradients_;
};

/// Two directions across one.
std::array<Vec3, 2> across(const Vec3& direction) {
  const Vec3 other = std::abs(direction.z()) < 0.9 ? Vec3::UnitZ() : Vec3::UnitX();
  const Vec3 first = direction.cross(other).normalized();
  return {first, direction.cross(first)};
}

Mat3 about_vertical(double angle) {
  return Eigen::AngleAxisd(angle, Vec3::UnitZ()).toRotationMatrix();
}

int rows_of(const Constraint& constraint) {
  switch (constraint.kind) {
    case Constraint::Kind::kPlace:
      return 3;
    case Constraint::Kind::kAlong:
      return 2;
    case Constraint::Kind::kAngle:
      return 1;
  }
  return 0;
}

}  // namespace

PostureProblem::PostureProblem(const Situation& situation, int candidate)
    : situation_(&situation), candidate_(candidate) {
  for (const Constraint& constraint : situation.family->constraints) equalities_ += rows_of(constraint);
  const ArmPose now(situation.joints);
  for (std::size_t i = 0; i < now_.size(); ++i) now_[i] = now.hand() * situation.tool[i];
}

const Joints& PostureProblem::low() {
  static const Joints kLow = [] {
    Joints low = joints_low().array() + 0.1;
    low[6] += 0.25;
    return low;
  }();
  return kLow;
}
const Joints& PostureProblem::high() {
  static const Joints kHigh = [] {
    Joints high = joints_high().array() - 0.1;
    high[6] -= 0.25;
    return high;
  }();
  return kHigh;
}

Vec3 PostureProblem::target_of(const Constraint& constraint) const {
  Vec3 middle = Vec3::Zero();
  for (const int keypoint : constraint.at) middle += situation_->object[static_cast<std::size_t>(keypoint)];
  middle /= static_cast<double>(constraint.at.size());
  middle += constraint.offset;
  if (constraint.height) middle.z() = kTableTop + *constraint.height;
  return middle;
}

Vec3 PostureProblem::direction_of(const Constraint& constraint) const {
  Vec3 direction = constraint.with.vector;
  if (constraint.with.keypoints) {
    const auto [from, to] = *constraint.with.keypoints;
    direction = situation_->object[static_cast<std::size_t>(to)] - situation_->object[static_cast<std::size_t>(from)];
    direction.normalize();
  }
  const double turned = constraint.with.turned + 2 * M_PI * candidate_ / constraint.symmetry;
  return about_vertical(constraint.symmetry > 1 ? turned : constraint.with.turned) * direction;
}

double PostureProblem::cost(const Joints& joints, double* gradient) const {
  const ArmPose arm(joints);
  Joints slope = Joints::Zero();
  double sum = 0;
  for (std::size_t i = 0; i < now_.size(); ++i) {
    const Vec3 point = arm.hand() * situation_->tool[i];
    const Vec3 moved = point - now_[i];
    sum += moved.squaredNorm();
    if (gradient != nullptr) slope += 2 * arm.of_point(point).transpose() * moved;
  }
  Joints weights = Joints::Constant(kJointCost);
  weights[0] *= kFirstJointWeight;
  const Joints change = joints - situation_->joints;
  sum += change.dot(weights.cwiseProduct(change));
  if (gradient != nullptr) Joints::Map(gradient) = slope + 2 * weights.cwiseProduct(change);
  return sum;
}

void PostureProblem::equality_values(const Joints& joints, double* values, double* gradients) const {
  const ArmPose arm(joints);
  const Jacobian3 turning = arm.of_rotation();
  Rows rows(values, gradients);
  for (const Constraint& constraint : situation_->family->constraints) {
    const Vec3& from = situation_->tool[static_cast<std::size_t>(constraint.from)];
    if (constraint.kind == Constraint::Kind::kPlace) {
      const Vec3 point = arm.hand() * from;
      const Vec3 error = point - target_of(constraint);
      const Jacobian3 jacobian = arm.of_point(point);
      for (int axis = 0; axis < 3; ++axis) rows.add(error[axis], jacobian.row(axis));
      continue;
    }
    const Vec3& to = situation_->tool[static_cast<std::size_t>(constraint.to)];
    const Vec3 direction = arm.hand().rotation * (to - from).normalized();
    const auto add = [&](const Vec3& with, double cosine) {  // direction . with, and its gradient
      rows.add(direction.dot(with) - cosine, direction.cross(with).transpose() * turning);
    };
    const Vec3 with = direction_of(constraint);
    if (constraint.kind == Constraint::Kind::kAngle) {
      add(with, constraint.cosine);
    } else {  // the cosine itself has no gradient where it is 1
      for (const Vec3& other : across(with)) add(other, 0);
    }
  }
}

void PostureProblem::inequality_values(const Joints& joints, double* values, double* gradients) const {
  const ArmPose arm(joints);
  Rows rows(values, gradients);
  for (const Vec3& each : hand_points()) {
    const Vec3 point = arm.hand() * each;
    rows.add(kTableTop + kHandClearance - point.z(), -arm.of_point(point).row(2));
  }
  for (const int link : {6, 7}) {
    const Vec3& origin = arm.link(link).position;
    rows.add(kTableTop + kLinkClearance - origin.z(), -arm.of_point(origin, link).row(2));
  }
}

PostureProblem::Missed PostureProblem::most_missed(const Joints& joints) const {
  std::vector<double> values(static_cast<std::size_t>(std::max(equalities_, kInequalities)));
  inequality_values(joints, values.data(), nullptr);
  Missed most{.by = std::max(0.0, *std::max_element(values.begin(), values.begin() + kInequalities))};
  equality_values(joints, values.data(), nullptr);
  auto row = values.begin();
  for (std::size_t i = 0; i < situation_->family->constraints.size(); ++i) {
    for (int k = rows_of(situation_->family->constraints[i]); k > 0; --k, ++row) {
      if (std::abs(*row) > most.by) most = {.constraint = static_cast<int>(i), .by = std::abs(*row)};
    }
  }
  return most;
}

bool PostureProblem::holds(const Joints& joints, double tolerance) const {
  std::vector<double> values(static_cast<std::size_t>(std::max(equalities_, kInequalities)));
  equality_values(joints, values.data(), nullptr);
  for (int i = 0; i < equalities_; ++i) {
    if (!(std::abs(values[static_cast<std::size_t>(i)]) <= tolerance)) return false;
  }
  inequality_values(joints, values.data(), nullptr);
  for (int i = 0; i < kInequalities; ++i) {
    if (!(values[static_cast<std::size_t>(i)] <= tolerance)) return false;
  }
  const Mat3 rotation = ArmPose(joints).hand().rotation;
  for (const Constraint& constraint : situation_->family->constraints) {
    if (constraint.kind != Constraint::Kind::kAlong) continue;
    const Vec3 direction = rotation * (situation_->tool[static_cast<std::size_t>(constraint.to)] -
                                       situation_->tool[static_cast<std::size_t>(constraint.from)]);
    if (!(direction.dot(direction_of(constraint)) > 0)) return false;
  }
  return true;
}

namespace {

struct Destroy {
  void operator()(nlopt_opt optimizer) const { nlopt_destroy(optimizer); }
};
using Optimizer = std::unique_ptr<std::remove_pointer_t<nlopt_opt>, Destroy>;

double cost_of(unsigned /*count*/, const double* x, double* gradient, void* problem) {
  return static_cast<const PostureProblem*>(problem)->cost(Joints::Map(x), gradient);
}
void equalities_of(unsigned /*rows*/, double* values, unsigned /*count*/, const double* x, double* gradients,
                   void* problem) {
  static_cast<const PostureProblem*>(problem)->equality_values(Joints::Map(x), values, gradients);
}
void inequalities_of(unsigned /*rows*/, double* values, unsigned /*count*/, const double* x, double* gradients,
                     void* problem) {
  static_cast<const PostureProblem*>(problem)->inequality_values(Joints::Map(x), values, gradients);
}

}  // namespace

Posture nearest_posture(const PostureProblem& problem, const Joints& start) {
  const Optimizer optimizer(nlopt_create(NLOPT_LD_SLSQP, kJoints));
  void* const data = const_cast<PostureProblem*>(&problem);  // NOLINT: a C interface
  const std::vector<double> equal(static_cast<std::size_t>(problem.equalities()), kEqualityTolerance);
  const std::vector<double> below(static_cast<std::size_t>(problem.inequalities()), kEqualityTolerance);
  nlopt_set_lower_bounds(optimizer.get(), PostureProblem::low().data());
  nlopt_set_upper_bounds(optimizer.get(), PostureProblem::high().data());
  nlopt_set_min_objective(optimizer.get(), cost_of, data);
  nlopt_add_equality_mconstraint(optimizer.get(), static_cast<unsigned>(equal.size()), equalities_of, data,
                                 equal.data());
  nlopt_add_inequality_mconstraint(optimizer.get(), static_cast<unsigned>(below.size()), inequalities_of, data,
                                   below.data());
  nlopt_set_ftol_rel(optimizer.get(), kStop);
  nlopt_set_xtol_rel(optimizer.get(), kStop);
  nlopt_set_maxeval(optimizer.get(), kMostEvaluations);
  Posture posture{.joints = start.cwiseMax(PostureProblem::low()).cwiseMin(PostureProblem::high())};
  nlopt_optimize(optimizer.get(), posture.joints.data(), &posture.cost);
  return posture;
}

std::optional<Posture> solve_posture(const PostureProblem& problem, const Joints& start) {
  const Posture posture = nearest_posture(problem, start);
  if (!posture.joints.allFinite() || !problem.holds(posture.joints, kHolds)) return std::nullopt;
  return posture;
}

}  // namespace fleet::tools
