// The posture in which a tool meets its object: joint-space kPAM (Manuelli et al., "kPAM: KeyPoint Affordances for
// Category-Level Robotic Manipulation", ISRR 2019; the paper's equations C.4 to C.7), solved by NLopt's SLSQP.
#pragma once

#include <vector>

#include "tools/family.hpp"

namespace fleet::tools {

/// What is known when an episode begins.
struct Situation {
  const Family* family = nullptr;
  std::array<Vec3, kToolKeypoints> tool;      ///< its keypoints, in the hand's frame
  std::array<Vec3, kObjectKeypoints> object;  ///< its keypoints, in the world
  Joints joints;                              ///< of the arm, now
  Joints rest;                                ///< a posture to search from as well
};

/// Joints, and what they cost.
struct Posture {
  Joints joints;
  double cost = 0;
};

/// The constraints as functions of the joints, with gradients: equalities are zero, inequalities at most zero.
class PostureProblem {
 public:
  /// With the directions of `candidate`, of Family::symmetry() that are as good: constraints of symmetry n turn theirs
  /// by candidate times a full turn over n.
  PostureProblem(const Situation& situation, int candidate);

  [[nodiscard]] int equalities() const { return equalities_; }
  [[nodiscard]] int inequalities() const { return kInequalities; }

  /// How far the tool's keypoints are from where they are now, and the joints from theirs:
  /// sum_i |X(q) p_i - X(q_0) p_i|^2 + 0.02 sum_j w_j (q_j - q_0j)^2.
  /// Gradients are written where they are asked for, one row a constraint.
  double cost(const Joints& joints, double* gradient) const;
  void equality_values(const Joints& joints, double* values, double* gradients) const;
  void inequality_values(const Joints& joints, double* values, double* gradients) const;

  /// Whether all of them hold to `tolerance`, and directions that are to be alike are not opposite.
  [[nodiscard]] bool holds(const Joints& joints, double tolerance) const;

  /// The constraint, by its place in the family, that is missed by most, and by how much; -1: the arm, or the hand, is
  /// too low over the table.
  struct Missed {
    int constraint = -1;
    double by = 0;
  };
  [[nodiscard]] Missed most_missed(const Joints& joints) const;

  /// Bounds: the limits of the joints less margins, the widest at joint 7, as the hand is tracked in space and the
  /// elbow may end elsewhere than planned.
  [[nodiscard]] static const Joints& low();
  [[nodiscard]] static const Joints& high();

 private:
  static constexpr int kInequalities = 7;

  [[nodiscard]] Vec3 target_of(const Constraint& constraint) const;
  [[nodiscard]] Vec3 direction_of(const Constraint& constraint) const;

  const Situation* situation_;
  int candidate_;
  int equalities_ = 0;
  std::array<Vec3, kToolKeypoints> now_;  // the tool's keypoints, in the world
};

/// Where SLSQP comes to from `start`, whether it satisfies the constraints or not.
[[nodiscard]] Posture nearest_posture(const PostureProblem& problem, const Joints& start);
/// The posture that SLSQP comes to from `start`; nothing if it does not satisfy the constraints to 1e-4, which the
/// solver's own verdict says nothing about.
[[nodiscard]] std::optional<Posture> solve_posture(const PostureProblem& problem, const Joints& start);

}  // namespace fleet::tools
