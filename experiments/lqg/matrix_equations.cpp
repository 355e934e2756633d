#include "lqg/matrix_equations.hpp"

#include <Eigen/Dense>
#include <limits>

#include "base/error.hpp"

namespace fleet {
namespace {

using Eigen::MatrixXd;

constexpr int kMaxRefinements = 8;
constexpr int kMaxDoublings = 64;          // 2^64 plain iterations
constexpr double kConverged = 1e-15;       // relative change in the last step
constexpr double kLargestResidual = 1e-8;  // relative; a solution that misses by more is none

double largest(const MatrixXd& matrix) {
  return matrix.cwiseAbs().maxCoeff();
}

MatrixXd symmetric(const MatrixXd& matrix) {
  return 0.5 * (matrix + matrix.transpose());
}

/// (R + B^T P B)^-1 B^T P A, m x n.
MatrixXd riccati_gain(const MatrixXd& a, const MatrixXd& b, const MatrixXd& r, const MatrixXd& p) {
  const MatrixXd bp = b.transpose() * p;
  return (r + bp * b).ldlt().solve(bp * a);
}

/// With W = I + G P:  A <- A W^-1 A,  G <- G + A W^-1 G A^T,  P <- P + A^T P W^-1 A.
MatrixXd doubled(const MatrixXd& a, const MatrixXd& b, const MatrixXd& q, const MatrixXd& r) {
  const MatrixXd identity = MatrixXd::Identity(a.rows(), a.rows());
  MatrixXd power = a;  // of the closed loop: tends to zero as the doubling goes on
  MatrixXd g = symmetric(b * r.llt().solve(b.transpose()));
  MatrixXd p = q;
  for (int k = 0; k < kMaxDoublings; ++k) {
    const Eigen::PartialPivLU<MatrixXd> w(identity + g * p);
    const MatrixXd solved = w.solve(power);
    const MatrixXd step = symmetric(power.transpose() * p * solved);
    g += symmetric(power * w.solve(g) * power.transpose());
    power = power * solved;
    p += step;
    if (!p.allFinite() || largest(step) <= kConverged * largest(p)) break;
  }
  return p;
}

}  // namespace

double spectral_radius(const MatrixXd& matrix) {
  if (!matrix.allFinite()) return std::numeric_limits<double>::infinity();
  return matrix.eigenvalues().cwiseAbs().maxCoeff();
}

MatrixXd solve_riccati(const MatrixXd& a, const MatrixXd& b, const MatrixXd& q, const MatrixXd& r) {
  MatrixXd p = doubled(a, b, q, r);
  // Newton's method, each step a Lyapunov equation (Kleinman, 1968), takes off what rounding has left.
  double missed = p.allFinite() ? riccati_residual(a, b, q, r, p) : std::numeric_limits<double>::infinity();
  for (int k = 0; k < kMaxRefinements && std::isfinite(missed); ++k) {
    const MatrixXd gain = riccati_gain(a, b, r, p);
    const std::optional<MatrixXd> better = solve_lyapunov((a - b * gain).transpose(), q + gain.transpose() * r * gain);
    if (!better) missed = std::numeric_limits<double>::infinity();  // this solution stabilises nothing
    if (!better || !(riccati_residual(a, b, q, r, *better) < missed)) break;
    p = *better;
    missed = riccati_residual(a, b, q, r, p);
  }
  require(missed < kLargestResidual,
          "the Riccati equation has no stabilising solution: the system cannot be stabilised, or the cost does not see "
          "one of its modes");
  return p;
}

double riccati_residual(const MatrixXd& a, const MatrixXd& b, const MatrixXd& q, const MatrixXd& r, const MatrixXd& p) {
  const MatrixXd right = a.transpose() * p * (a - b * riccati_gain(a, b, r, p)) + q;
  return largest(right - p) / std::max(largest(p), std::numeric_limits<double>::min());
}

std::optional<MatrixXd> solve_lyapunov(const MatrixXd& f, const MatrixXd& w) {
  if (!(spectral_radius(f) < 1.0)) return std::nullopt;
  MatrixXd x = w;
  MatrixXd power = f;
  for (int k = 0; k < kMaxDoublings; ++k) {
    const MatrixXd step = power * x * power.transpose();
    x += step;
    power = (power * power).eval();
    if (!x.allFinite()) return std::nullopt;  // so near the circle that the sum overflows
    if (largest(step) <= kConverged * largest(x)) break;
  }
  return symmetric(x);
}

}  // namespace fleet
