#include "lqg/expected_cost.hpp"

#include <limits>

#include "lqg/matrix_equations.hpp"

namespace fleet {
namespace {

using Eigen::MatrixXd;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// System and policy as one: z_t = (x_t, xhat_{t-1}), z_{t+1} = F z_t + noise of covariance W, and xhat_t = G z_t + B
/// v_t.
struct ClosedLoop {
  ClosedLoop(const LinearSystem& system, const LinearPolicy& policy)
      : states(system.states()),
        estimate(policy.a.rows(), states + policy.a.rows()),
        estimate_noise(policy.b * system.measurement * policy.b.transpose()),
        transition(estimate.cols(), estimate.cols()),
        noise(estimate.cols(), estimate.cols()) {
    const Eigen::Index k = policy.a.rows();
    estimate << policy.b * system.c, policy.a;
    const MatrixXd drive = system.b * policy.c;  // from xhat_t to x_{t+1}
    transition.topRows(states) = drive * estimate;
    transition.topLeftCorner(states, states) += system.a;
    transition.bottomRows(k) = estimate;
    noise.topLeftCorner(states, states) = system.process + drive * estimate_noise * drive.transpose();
    noise.topRightCorner(states, k) = drive * estimate_noise;
    noise.bottomLeftCorner(k, states) = noise.topRightCorner(states, k).transpose();
    noise.bottomRightCorner(k, k) = estimate_noise;
  }

  /// E[z_0 z_0^T]: the estimate starts at zero.
  [[nodiscard]] MatrixXd first(const LinearSystem& system) const {
    MatrixXd moment = MatrixXd::Zero(transition.rows(), transition.rows());
    moment.topLeftCorner(states, states) = system.initial;
    return moment;
  }

  [[nodiscard]] MatrixXd next(const MatrixXd& moment) const {
    return transition * moment * transition.transpose() + noise;
  }

  Eigen::Index states;
  MatrixXd estimate;        // G
  MatrixXd estimate_noise;  // B V B^T
  MatrixXd transition;      // F
  MatrixXd noise;           // W
};

/// E[x^T Q x + u^T R u] is linear in E[z z^T]: <weight, E[z z^T]> + constant.
struct StepCost {
  StepCost(const ClosedLoop& loop, const QuadraticCost& cost, const LinearPolicy& policy) {
    const MatrixXd on_estimate = policy.c.transpose() * cost.input * policy.c;
    weight = loop.estimate.transpose() * on_estimate * loop.estimate;
    weight.topLeftCorner(loop.states, loop.states) += cost.state;
    constant = on_estimate.cwiseProduct(loop.estimate_noise).sum();
  }
  [[nodiscard]] double at(const MatrixXd& moment) const {
    const double value = weight.cwiseProduct(moment).sum() + constant;
    return std::isfinite(value) ? value : kInfinity;
  }
  MatrixXd weight;
  double constant;
};

}  // namespace

double expected_cost(const LinearSystem& system, const QuadraticCost& cost, const LinearPolicy& policy, int horizon) {
  const ClosedLoop loop(system, policy);
  const StepCost step(loop, cost, policy);
  MatrixXd moment = loop.first(system);
  double total = 0.0;
  for (int t = 0; t < horizon && total < kInfinity; ++t) {
    total += step.at(moment);
    moment = loop.next(moment);
  }
  return total / horizon;
}

double stationary_cost(const LinearSystem& system, const QuadraticCost& cost, const LinearPolicy& policy) {
  const ClosedLoop loop(system, policy);
  const std::optional<MatrixXd> moment = solve_lyapunov(loop.transition, loop.noise);
  return moment ? StepCost(loop, cost, policy).at(*moment) : kInfinity;
}

MatrixXd observation_moment(const LinearSystem& system, const LinearPolicy& policy, int horizon) {
  const ClosedLoop loop(system, policy);
  MatrixXd moment = loop.first(system);
  MatrixXd states = MatrixXd::Zero(loop.states, loop.states);
  for (int t = 0; t < horizon; ++t) {
    states += moment.topLeftCorner(loop.states, loop.states) / horizon;
    moment = loop.next(moment);
  }
  return system.c * states * system.c.transpose() + system.measurement;
}

}  // namespace fleet
