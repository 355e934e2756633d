#include "lqg/imitation.hpp"

#include <Eigen/Dense>

#include "lqg/tall_product.hpp"

namespace fleet {

using Eigen::Index;
using Eigen::MatrixXd;

ImitationLoss::ImitationLoss(const Demonstrations& data)
    : data_(data), observations_(data.observations.transpose()), actions_(data.actions.transpose()) {}

double ImitationLoss::loss(const LinearPolicy& policy) {
  estimates_.setZero(data_.steps(), policy.a.rows());
  add_product(observations_, policy.b.transpose(), estimates_);
  propagate(policy.a.transpose(), data_.trajectories, InTime::kForward, estimates_);
  errors_ = -actions_;
  add_product(estimates_, policy.c.transpose(), errors_);
  return errors_.squaredNorm() / static_cast<double>(data_.steps());
}

double ImitationLoss::loss_gradient(const LinearPolicy& policy, LinearPolicy& gradient) {
  // With lambda_t = dL / d xhat_t = (2 / steps) C^T e_t + A^T lambda_{t+1}:
  //   dA = sum_t lambda_t xhat_{t-1}^T,  dB = sum_t lambda_t y_t^T,  dC = (2 / steps) sum_t e_t xhat_t^T.
  const double value = loss(policy);
  const Index rest = data_.steps() - data_.trajectories;
  errors_ *= 2.0 / static_cast<double>(data_.steps());
  adjoints_.setZero(data_.steps(), policy.a.rows());
  add_product(errors_, policy.c, adjoints_);
  propagate(policy.a, data_.trajectories, InTime::kBackward, adjoints_);
  slope_.setZero(policy.b.cols(), policy.b.rows());
  add_product(data_.observations, adjoints_, slope_);
  gradient.a.noalias() = adjoints_.bottomRows(rest).transpose() * estimates_.topRows(rest);
  gradient.b = slope_.transpose();
  gradient.c.noalias() = errors_.transpose() * estimates_;
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
