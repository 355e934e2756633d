#include "lqg/imitation.hpp"

#include <Eigen/Dense>

namespace fleet {

using Eigen::Index;
using Eigen::MatrixXd;

double ImitationLoss::loss(const LinearPolicy& policy) {
  const Index width = data_.trajectories;
  estimates_.noalias() = policy.b * data_.observations;
  for (Index t = width; t < data_.steps(); t += width) {
    estimates_.middleCols(t, width).noalias() += policy.a * estimates_.middleCols(t - width, width);
  }
  errors_ = -data_.actions;
  errors_.noalias() += policy.c * estimates_;
  return errors_.squaredNorm() / static_cast<double>(data_.steps());
}

double ImitationLoss::loss_gradient(const LinearPolicy& policy, LinearPolicy& gradient) {
  // With lambda_t = dL / d xhat_t = (2 / steps) C^T e_t + A^T lambda_{t+1}:
  //   dA = sum_t lambda_t xhat_{t-1}^T,  dB = sum_t lambda_t y_t^T,  dC = (2 / steps) sum_t e_t xhat_t^T.
  const double value = loss(policy);
  const Index width = data_.trajectories;
  const Index rest = data_.steps() - width;
  errors_ *= 2.0 / static_cast<double>(data_.steps());
  adjoints_.noalias() = policy.c.transpose() * errors_;
  for (Index t = rest - width; t >= 0; t -= width) {
    adjoints_.middleCols(t, width).noalias() += policy.a.transpose() * adjoints_.middleCols(t + width, width);
  }
  gradient.a.noalias() = adjoints_.rightCols(rest) * estimates_.leftCols(rest).transpose();
  gradient.b.noalias() = adjoints_ * data_.observations.transpose();
  gradient.c.noalias() = errors_ * estimates_.transpose();
  return value;
}

double ImitationLoss::descend(const DescentOptions& options, std::int64_t steps, const std::function<bool()>& stop,
                              LinearPolicy& policy) {
  LinearPolicy gradient = policy;
  double value = 0.0;
  for (std::int64_t i = 0; i < steps && !stop(); ++i) {
    value = loss_gradient(policy, gradient);
    gradient.a += options.ridge * policy.a;
    gradient.b += options.ridge * policy.b;
    gradient.c += options.ridge * policy.c;
    const double norm = std::sqrt(gradient.a.squaredNorm() + gradient.b.squaredNorm() + gradient.c.squaredNorm());
    const double rate = options.learning_rate * std::min(1.0, options.clip / norm);
    policy.a -= rate * gradient.a;
    policy.b -= rate * gradient.b;
    policy.c -= rate * gradient.c;
  }
  return value;
}

MatrixXd fit_static_gain(const Demonstrations& data) {
  return data.observations.transpose().completeOrthogonalDecomposition().solve(data.actions.transpose()).transpose();
}

}  // namespace fleet
