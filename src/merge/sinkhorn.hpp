// The relaxed permutation P = Sinkhorn(X / tau) and its adjoint (FLEET-MERGE eq. 3.2).
//
// P = diag(u) K diag(v) with K = exp(X / tau), by a fixed number of normalisations of rows, then
// columns (Cuturi, 2013): columns sum to one up to rounding, rows only in the limit. The adjoint is
// that of the iterations run, not of their limit. Gradient mergers call both for every alignment
// step and symmetry group.
#pragma once

#include "model/param_layout.hpp"

namespace fleet {

/// Entropic projection of a square matrix towards the doubly stochastic ones. Holds its buffers, so
/// only the first call of a size allocates; one object per group being aligned.
class Sinkhorn {
 public:
  /// `temperature` tau > 0; `iterations` >= 1 of normalising rows, then columns.
  Sinkhorn(double temperature, int iterations);

  /// P for scores X (n x n, finite). Runs in single precision where a row's entries differ by at
  /// most 40 tau, in double up to 600 tau; Error beyond. The result lives until the next call.
  const RowMatrix& forward(const RowMatrix& scores);
  /// dL/dX given dL/dP, exact for the iterations that the last forward() ran. The result lives
  /// until the next call.
  const RowMatrix& backward(const RowMatrix& p_gradient);

 private:
  /// The scaling iterations in one precision, with what the adjoint needs of them.
  template <class Real>
  struct Scaling {
    using Matrix = Eigen::Matrix<Real, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

    void resize(Eigen::Index size, Eigen::Index iterations);
    void forward(const RowMatrix& scores, const Eigen::VectorXf& shift, double temperature, RowMatrix& p);
    void backward(const RowMatrix& p_gradient, double temperature, RowMatrix& gradient);

    Eigen::Index iterations = 0;  // T
    Matrix kernel;                // K
    // Iteration t = 1, ..., T computes u_t = 1 / (K v_{t-1}) and v_t = 1 / (K^T u_t), from v_0 = 1.
    Matrix left;   // n x 2T; columns dL/d(K v_{t-1}), u_t
    Matrix right;  // (2T + 1) x n; rows v_{t-1}, dL/d(K^T u_t); last v_T
    Matrix outer;  // left right, the rank-2T part of dL/dK
    Eigen::Matrix<Real, Eigen::Dynamic, 1> row_terms;
    Eigen::Matrix<Real, 1, Eigen::Dynamic> column_terms;
    Eigen::Matrix<Real, 1, Eigen::Dynamic> product;
  };

  double temperature_;
  int iterations_;
  bool in_double_ = false;  // which of the two ran last
  Scaling<float> single_scaling_;
  Scaling<double> double_scaling_;
  Eigen::VectorXf row_maximum_;
  RowMatrix p_;
  RowMatrix gradient_;
};

}  // namespace fleet
