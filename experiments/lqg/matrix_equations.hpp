// The two matrix equations behind linear control, each solved by doubling: k steps stand for 2^k of the plain
// iteration.
#pragma once

#include <Eigen/Core>
#include <optional>

namespace fleet {

/// The largest modulus of an eigenvalue; +inf if an entry is not finite.
[[nodiscard]] double spectral_radius(const Eigen::MatrixXd& matrix);

/// The stabilising solution P of the discrete algebraic Riccati equation (G.4, whose middle term is negative)
///   P = A^T P A - A^T P B (R + B^T P B)^-1 B^T P A + Q,
/// with A n x n, B n x m, Q positive semidefinite and R positive definite, by structure-preserving doubling (Chu, Fan,
/// Lin and Wang, 2004). Error if there is none, or its residual is not small.
[[nodiscard]] Eigen::MatrixXd solve_riccati(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b,
                                            const Eigen::MatrixXd& q, const Eigen::MatrixXd& r);
/// By how much `p` misses the equation, relative to the largest entry of `p`.
[[nodiscard]] double riccati_residual(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b, const Eigen::MatrixXd& q,
                                      const Eigen::MatrixXd& r, const Eigen::MatrixXd& p);

/// The solution X of the Lyapunov equation X = F X F^T + W for symmetric W; none unless every eigenvalue of F lies
/// inside the unit circle (Smith, 1968).
[[nodiscard]] std::optional<Eigen::MatrixXd> solve_lyapunov(const Eigen::MatrixXd& f, const Eigen::MatrixXd& w);

}  // namespace fleet
