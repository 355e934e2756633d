// Products of tall matrices, a row per step of a trajectory, with small ones: where training spends its time. General
// matrix products are made for factors that are large both ways, and are two to three times as slow at these.
#pragma once

#include <Eigen/Core>

namespace fleet {

/// to += tall small, with `tall` rows x depth, `small` depth x columns, and `to` rows x columns, which overlaps
/// neither.
void add_product(const Eigen::Ref<const Eigen::MatrixXd>& tall, const Eigen::MatrixXd& small, Eigen::MatrixXd& to);

enum class InTime { kForward, kBackward };

/// Blocks of `width` rows, one after the other or from the last to the first: each gains the one before it in that
/// order times `small` (n x n). `rows` is (a multiple of width) x n.
void propagate(const Eigen::MatrixXd& small, Eigen::Index width, InTime order, Eigen::MatrixXd& rows);

}  // namespace fleet
