// The basis in which one linear recurrence is nearest to another: the inner problem of merging over GL(n).
#pragma once

#include "merge/linear_blocks.hpp"

namespace fleet {

/// The misfit of the basis P, whose gradient is linear in P (a term of eq. G.14):
///   |P A - A_i P|^2 + |P B - B_i|^2 + |C - C_i P|^2
/// with (A, B, C) the reference and (A_i, B_i, C_i) the recurrence to be fitted.
[[nodiscard]] double basis_misfit(const LinearBlocks& reference, const LinearBlocks& own, const Eigen::MatrixXd& basis);
/// Half its gradient in P:  P S + S_i P - A_i P A^T - A_i^T P A - (B_i B^T + C_i^T C)  with  S = A A^T + B B^T,
/// S_i = A_i^T A_i + C_i^T C_i.
[[nodiscard]] Eigen::MatrixXd basis_gradient(const LinearBlocks& reference, const LinearBlocks& own,
                                             const Eigen::MatrixXd& basis);
/// The P of least misfit (eq. G.18), in place of a first guess: conjugate gradients on gradient = 0, preconditioned by
/// the Sylvester operator P S + S_i P. O(n^3) an iteration, where the n^2 x n^2 system costs O(n^6). After `most`
/// iterations it leaves off at a P that is better than the guess, if not yet the best; 0 is for as many as it takes.
/// Returns how many.
int fit_basis(const LinearBlocks& reference, const LinearBlocks& own, Eigen::MatrixXd& basis, int most = 0);

}  // namespace fleet
