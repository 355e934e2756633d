// What a group of general linear kind acts on, as the matrices of a linear recurrence x' = A x + B y, u = C x, in
// double precision: an invertible P takes (A, B, C) to (P^-1 A P, P^-1 B, C P) (eq. G.9 with T = P^-1).
#pragma once

#include "model/symmetry.hpp"

namespace fleet {

/// n = units of the group.
struct LinearBlocks {
  Eigen::MatrixXd a;  ///< n x n; zero where no tensor has the group on both axes
  Eigen::MatrixXd b;  ///< n x .: the tensors that write the units, side by side
  Eigen::MatrixXd c;  ///< . x n: those that read them, on top of each other

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(a.size() + b.size() + c.size()); }
};

/// Which tensors of a layout are the blocks of one group.
class LinearView {
 public:
  /// Error if the group is not general linear, or acts on a tensor in another way than on its first axis, dually on its
  /// last, or both.
  LinearView(const SymmetrySpec& symmetry, std::size_t group);

  [[nodiscard]] LinearBlocks blocks(const ParamVector& weights) const;
  /// The inverse of blocks(); rounds to single precision.
  void assign(const LinearBlocks& blocks, ParamVector& weights) const;

 private:
  struct Tensor {
    std::size_t index;
    Eigen::Index rows;
    Eigen::Index columns;
  };
  Eigen::Index units_;
  std::vector<Tensor> recurrent_;  // at most one
  std::vector<Tensor> writing_;
  std::vector<Tensor> reading_;
};

}  // namespace fleet
