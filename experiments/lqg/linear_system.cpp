#include "lqg/linear_system.hpp"

#include <Eigen/Dense>

namespace fleet {
namespace {

using Eigen::MatrixXcd;
using Eigen::MatrixXd;

constexpr double kRounding = 1e-10;  // relative to the largest entry or singular value
constexpr double kMargin = 1e-6;     // so far above rounding that a cheap estimate will do

/// V f(lambda) V^T of a symmetric M = V lambda V^T, where `f` sees no eigenvalue below rounding.
template <class Function>
MatrixXd spectral(const MatrixXd& m, const Function& f) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(m);
  const double floor = kRounding * std::max(0.0, eigen.eigenvalues().maxCoeff());
  const Eigen::VectorXd values =
      eigen.eigenvalues().unaryExpr([&](double lambda) { return lambda > floor ? f(lambda) : 0.0; });
  return eigen.eigenvectors() * values.asDiagonal() * eigen.eigenvectors().transpose();
}

/// Whether B alone has rank n, by such a margin that [A - lambda I, B] has it for every lambda up to `largest`: its
/// least singular value is no less than B's.
bool reaches_every_state(const MatrixXd& a, const MatrixXd& b, double largest) {
  if (b.cols() < b.rows()) return false;
  const double bound = a.norm() + largest + b.norm();  // of any singular value
  const double least =
      Eigen::SelfAdjointEigenSolver<MatrixXd>(b * b.transpose(), Eigen::EigenvaluesOnly).eigenvalues().minCoeff();
  return least > kMargin * kMargin * bound * bound;
}

/// Whether the rank is full by a margin that needs no singular values, which cost far more.
bool is_clearly_of_full_rank(const MatrixXcd& wide) {
  const Eigen::ColPivHouseholderQR<MatrixXcd> qr(wide);
  const Eigen::Index n = wide.rows();
  return std::abs(qr.matrixQR()(n - 1, n - 1)) > kMargin * std::abs(qr.matrixQR()(0, 0));
}

}  // namespace

std::optional<double> uncontrollable_mode(const MatrixXd& a, const MatrixXd& b) {
  const Eigen::Index n = a.rows();
  const Eigen::VectorXcd modes = a.eigenvalues();
  if (reaches_every_state(a, b, modes.cwiseAbs().maxCoeff())) return std::nullopt;
  for (const std::complex<double> mode : modes) {
    // Of a pair of conjugate modes both are reached or none.
    if (std::abs(mode) < 1.0 - kRounding || mode.imag() < 0.0) continue;
    MatrixXcd pencil(n, n + b.cols());
    pencil << a.cast<std::complex<double>>() - mode * MatrixXcd::Identity(n, n), b.cast<std::complex<double>>();
    if (is_clearly_of_full_rank(pencil)) continue;
    const Eigen::VectorXd singular = Eigen::JacobiSVD<MatrixXcd>(pencil).singularValues();
    if (singular(n - 1) <= kRounding * singular(0)) return std::abs(mode);
  }
  return std::nullopt;
}

MatrixXd inverse_square_root(const MatrixXd& m) {
  return spectral(m, [](double lambda) { return 1.0 / std::sqrt(lambda); });
}

MatrixXd square_root(const MatrixXd& m) {
  return spectral(m, [](double lambda) { return std::sqrt(lambda); });
}

bool is_positive(const MatrixXd& m, bool strictly) {
  const double scale = std::max(m.cwiseAbs().maxCoeff(), std::numeric_limits<double>::min());
  if ((m - m.transpose()).cwiseAbs().maxCoeff() > kRounding * scale) return false;
  const double least = Eigen::SelfAdjointEigenSolver<MatrixXd>(m, Eigen::EigenvaluesOnly).eigenvalues().minCoeff();
  return strictly ? least > kRounding * scale : least >= -kRounding * scale;
}

LinearSystem seen_through(const MatrixXd& w, LinearSystem system) {
  system.c = w * system.c;
  system.measurement = w * system.measurement * w.transpose();
  return system;
}

}  // namespace fleet
