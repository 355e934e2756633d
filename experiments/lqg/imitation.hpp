// Learning a linear policy from an expert: Algorithm 2 (dynamic, by gradient descent through time) and Algorithm 3
// (static, by least squares) of Appendix G.
#pragma once

#include "lqg/demonstrations.hpp"

namespace fleet {

/// Step sizes and the like are ours; the paper leaves them unsaid.
struct DescentOptions {
  double learning_rate = 0.1;
  double clip = 1.0;    ///< largest norm of a gradient; a longer one is scaled down to it
  double ridge = 1e-3;  ///< half of it times |theta|^2 is added to the loss
};

/// The imitation loss on one set of demonstrations, with buffers that are reused from step to step.
class ImitationLoss {
 public:
  /// Keeps a reference to `data`.
  explicit ImitationLoss(const Demonstrations& data);
  explicit ImitationLoss(Demonstrations&&) = delete;

  /// Mean over steps of |u_t - C xhat_t|^2.
  double loss(const LinearPolicy& policy);
  /// The same, with its gradient through the whole dynamics in `gradient` (overwritten).
  double loss_gradient(const LinearPolicy& policy, LinearPolicy& gradient);
  /// `steps` steps of full-batch gradient descent on loss + ridge from `policy`, in place; fewer if `stop` says so. The
  /// loss at the last step.
  double descend(const DescentOptions& options, std::int64_t steps, const std::function<bool()>& stop,
                 LinearPolicy& policy);

 private:
  const Demonstrations& data_;
  // A row per step, so that products run along the steps.
  Eigen::MatrixXd observations_;  // y, steps x p
  Eigen::MatrixXd actions_;       // u, steps x m
  Eigen::MatrixXd estimates_;     // xhat, steps x n
  Eigen::MatrixXd errors_;        // C xhat - u, steps x m
  Eigen::MatrixXd adjoints_;      // d loss / d xhat, steps x n
  Eigen::MatrixXd slope_;         // d loss / d B^T, p x n
};

/// argmin_K sum |u - K y|^2, m x p (Algorithm 3, which the paper prints with u and y exchanged); of several the
/// shortest.
[[nodiscard]] Eigen::MatrixXd fit_static_gain(const Demonstrations& data);

}  // namespace fleet
