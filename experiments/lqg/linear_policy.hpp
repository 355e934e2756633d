// Linear policies (eq. G.8): the optimal ones, how they lie in a weight vector, and what leaves them unchanged.
#pragma once

#include "lqg/linear_system.hpp"
#include "model/symmetry.hpp"

namespace fleet {

/// theta = (A, B, C):  xhat_t = A xhat_{t-1} + B y_t,  u_t = C xhat_t,  from xhat = 0. A static law u = K y is (0, I,
/// K).
struct LinearPolicy {
  Eigen::MatrixXd a;  ///< n x n
  Eigen::MatrixXd b;  ///< n x p
  Eigen::MatrixXd c;  ///< m x n

  /// (T A T^-1, T B, C T^-1), which acts as this one does, for an invertible T (eq. G.9).
  [[nodiscard]] LinearPolicy in_basis(const Eigen::MatrixXd& t) const;
  [[nodiscard]] static LinearPolicy still(const Eigen::MatrixXd& gain);
  /// The policy that does nothing.
  [[nodiscard]] static LinearPolicy zero(const LinearSystem& system);
};

/// The gain K of the linear quadratic regulator u = K x (eq. G.3). Error as solve_riccati().
[[nodiscard]] Eigen::MatrixXd optimal_gain(const LinearSystem& system, const QuadraticCost& cost);
/// The optimal dynamic policy: Kalman filter and regulator (eqs. G.5 to G.7). The measurement noise must be positive
/// definite. Error as solve_riccati().
[[nodiscard]] LinearPolicy optimal_policy(const LinearSystem& system, const QuadraticCost& cost);
/// The regulator as a static law of the observations; C must be square and invertible.
[[nodiscard]] LinearPolicy optimal_static_policy(const LinearSystem& system, const QuadraticCost& cost);

enum class PolicyKind { kDynamic, kStatic };

/// How policies for `system` lie in a weight vector. Dynamic: tensors "A", "B" and "C", unchanged as a function by any
/// invertible change of the basis of xhat; static: "K", which has no symmetry.
[[nodiscard]] SymmetrySpec policy_symmetry(PolicyKind kind, const LinearSystem& system);
/// Weights laid out as above, to policy and back; the latter rounds to single precision.
[[nodiscard]] LinearPolicy to_policy(PolicyKind kind, const ParamVector& weights);
void to_weights(PolicyKind kind, const LinearPolicy& policy, ParamVector& weights);

}  // namespace fleet
