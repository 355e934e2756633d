// A linear system with Gaussian noise and the cost of driving it (eqs. G.1, G.2), with what makes them well posed.
#pragma once

#include <Eigen/Core>
#include <optional>

namespace fleet {

/// x_{t+1} = A x_t + B u_t + w_t,  y_t = C x_t + v_t, with n states, m inputs and p observations.
struct LinearSystem {
  Eigen::MatrixXd a;            ///< n x n
  Eigen::MatrixXd b;            ///< n x m
  Eigen::MatrixXd c;            ///< p x n
  Eigen::MatrixXd process;      ///< covariance of w, n x n
  Eigen::MatrixXd measurement;  ///< covariance of v, p x p
  Eigen::MatrixXd initial;      ///< covariance of x_0, whose mean is zero; n x n

  [[nodiscard]] Eigen::Index states() const { return a.rows(); }
  [[nodiscard]] Eigen::Index inputs() const { return b.cols(); }
  [[nodiscard]] Eigen::Index observations() const { return c.rows(); }
};

/// x^T Q x + u^T R u per step.
struct QuadraticCost {
  Eigen::MatrixXd state;  ///< Q, n x n, positive semidefinite
  Eigen::MatrixXd input;  ///< R, m x m, positive definite
};

/// The modulus of an eigenvalue of A on or outside the unit circle that B does not reach (Popov, Belevitch and Hautus);
/// none if every such mode can be controlled, that is, if the system can be stabilised. Of (A^T, C^T): detectability.
[[nodiscard]] std::optional<double> uncontrollable_mode(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b);

/// M^{-1/2} for a positive semidefinite M; directions in which M vanishes go to zero.
[[nodiscard]] Eigen::MatrixXd inverse_square_root(const Eigen::MatrixXd& m);
/// M^{1/2} for a positive semidefinite M.
[[nodiscard]] Eigen::MatrixXd square_root(const Eigen::MatrixXd& m);
/// Whether `m` is symmetric with no eigenvalue below zero, or, where `strictly`, all above; up to rounding.
[[nodiscard]] bool is_positive(const Eigen::MatrixXd& m, bool strictly);

/// The same system seen through W y.
[[nodiscard]] LinearSystem seen_through(const Eigen::MatrixXd& w, LinearSystem system);

}  // namespace fleet
