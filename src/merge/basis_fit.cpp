#include "merge/basis_fit.hpp"

#include <Eigen/Eigenvalues>

namespace fleet {
namespace {

using Eigen::MatrixXd;

constexpr double kTolerance = 1e-13;  // of the residual, in the norm of the preconditioner

MatrixXd reference_gram(const LinearBlocks& reference) {
  return reference.a * reference.a.transpose() + reference.b * reference.b.transpose();
}

MatrixXd own_gram(const LinearBlocks& own) {
  return own.a.transpose() * own.a + own.c.transpose() * own.c;
}

/// The part of the gradient that is linear in P, and the rest.
class BasisOperator {
 public:
  BasisOperator(const LinearBlocks& reference, const LinearBlocks& own)
      : reference_(reference), own_(own), right_(reference_gram(reference)), left_(own_gram(own)) {}

  [[nodiscard]] MatrixXd apply(const MatrixXd& p) const {
    MatrixXd product = p * right_;
    product.noalias() += left_ * p;
    product.noalias() -= own_.a * (p * reference_.a.transpose());
    product.noalias() -= own_.a.transpose() * (p * reference_.a);
    return product;
  }
  [[nodiscard]] MatrixXd right_side() const {
    return own_.b * reference_.b.transpose() + own_.c.transpose() * reference_.c;
  }
  [[nodiscard]] const MatrixXd& right() const { return right_; }
  [[nodiscard]] const MatrixXd& left() const { return left_; }

 private:
  const LinearBlocks& reference_;
  const LinearBlocks& own_;
  MatrixXd right_;  // S
  MatrixXd left_;   // S_i
};

/// The inverse of P -> P S + S_i P, in the eigenvectors of S and S_i.
class SylvesterInverse {
 public:
  SylvesterInverse(const MatrixXd& left, const MatrixXd& right) : left_(left), right_(right) {
    const Eigen::Index n = left.rows();
    sums_ = left_.eigenvalues().replicate(1, n) + right_.eigenvalues().transpose().replicate(n, 1);
    const double least = 1e-15 * sums_.maxCoeff();  // directions that neither side sees
    sums_ = sums_.cwiseMax(least > 0.0 ? least : 1.0);
  }

  [[nodiscard]] MatrixXd apply(const MatrixXd& residual) const {
    MatrixXd rotated = left_.eigenvectors().transpose() * residual * right_.eigenvectors();
    rotated.array() /= sums_.array();
    return left_.eigenvectors() * rotated * right_.eigenvectors().transpose();
  }

 private:
  Eigen::SelfAdjointEigenSolver<MatrixXd> left_;
  Eigen::SelfAdjointEigenSolver<MatrixXd> right_;
  MatrixXd sums_;
};

double inner(const MatrixXd& a, const MatrixXd& b) {
  return a.cwiseProduct(b).sum();
}

}  // namespace

double basis_misfit(const LinearBlocks& reference, const LinearBlocks& own, const MatrixXd& basis) {
  return (basis * reference.a - own.a * basis).squaredNorm() + (basis * reference.b - own.b).squaredNorm() +
         (reference.c - own.c * basis).squaredNorm();
}

MatrixXd basis_gradient(const LinearBlocks& reference, const LinearBlocks& own, const MatrixXd& basis) {
  const BasisOperator normal(reference, own);
  return normal.apply(basis) - normal.right_side();
}

int fit_basis(const LinearBlocks& reference, const LinearBlocks& own, MatrixXd& basis, int most) {
  const BasisOperator normal(reference, own);
  const SylvesterInverse preconditioner(normal.left(), normal.right());
  const MatrixXd right_side = normal.right_side();
  const double goal = kTolerance * kTolerance * inner(right_side, preconditioner.apply(right_side));

  MatrixXd residual = right_side - normal.apply(basis);
  MatrixXd direction = preconditioner.apply(residual);
  double size = inner(residual, direction);
  if (most == 0) most = static_cast<int>(2 * basis.size() + 10);  // n^2, were it not for rounding
  int iteration = 0;
  while (iteration < most && size > goal) {
    const MatrixXd image = normal.apply(direction);
    const double curvature = inner(direction, image);
    if (!(curvature > 0.0)) break;  // rounding is all that is left
    basis += size / curvature * direction;
    residual -= size / curvature * image;
    const MatrixXd scaled = preconditioner.apply(residual);
    const double before = std::exchange(size, inner(residual, scaled));
    direction = scaled + size / before * direction;
    ++iteration;
  }
  return iteration;
}

}  // namespace fleet
