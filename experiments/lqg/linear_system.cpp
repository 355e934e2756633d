#include "lqg/linear_system.hpp"

#include <Eigen/Dense>

namespace fleet {
namespace {

using Eigen::MatrixXcd;
using Eigen::MatrixXd;

constexpr double kRounding = 1e-10;  // relative to the largest entry or singular value

/// V f(lambda) V^T of a symmetric M = V lambda V^T, where `f` sees no eigenvalue below rounding.
template <class Function>
MatrixXd spectral(const MatrixXd& m, const Function& f) {
  const Eigen::SelfAdjointEigenSolver<MatrixXd> eigen(m);
  const double floor = kRounding * std::max(0.0, eigen.eigenvalues().maxCoeff());
  const Eigen::VectorXd values =
      eigen.eigenvalues().unaryExpr([&](double lambda) { return lambda > floor ? f(lambda) : 0.0; });
  return eigen.eigenvectors() * values.asDiagonal() * eigen.eigenvectors().transpose();
}

}  // namespace

std::optional<double> uncontrollable_mode(const MatrixXd& a, const MatrixXd& b) {
  const Eigen::Index n = a.rows();
  const Eigen::VectorXcd modes = a.eigenvalues();
  for (const std::complex<double> mode : modes) {
    if (std::abs(mode) < 1.0 - kRounding) continue;
    MatrixXcd pencil(n, n + b.cols());
    pencil << a.cast<std::complex<double>>() - mode * MatrixXcd::Identity(n, n), b.cast<std::complex<double>>();
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
