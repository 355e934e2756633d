#include "lqg/linear_policy.hpp"

#include <Eigen/Dense>

#include "lqg/matrix_equations.hpp"

namespace fleet {
namespace {

using Eigen::MatrixXd;

MatrixXd matrix_of(const ParamVector& weights, std::size_t tensor) {
  const std::vector<std::int64_t>& shape = weights.layout().tensors()[tensor].shape;
  return ConstMatrixView(weights.tensor(tensor).data(), shape[0], shape[1]).cast<double>();
}

void assign(const MatrixXd& matrix, std::size_t tensor, ParamVector& weights) {
  MatrixView(weights.tensor(tensor).data(), matrix.rows(), matrix.cols()) = matrix.cast<float>();
}

}  // namespace

LinearPolicy LinearPolicy::in_basis(const MatrixXd& t) const {
  const MatrixXd inverse = t.inverse();
  return {t * a * inverse, t * b, c * inverse};
}

LinearPolicy LinearPolicy::still(const MatrixXd& gain) {
  const Eigen::Index p = gain.cols();
  return {MatrixXd::Zero(p, p), MatrixXd::Identity(p, p), gain};
}

LinearPolicy LinearPolicy::zero(const LinearSystem& system) {
  return {MatrixXd::Zero(1, 1), MatrixXd::Zero(1, system.observations()), MatrixXd::Zero(system.inputs(), 1)};
}

MatrixXd optimal_gain(const LinearSystem& system, const QuadraticCost& cost) {
  const MatrixXd p = solve_riccati(system.a, system.b, cost.state, cost.input);
  const MatrixXd bp = system.b.transpose() * p;
  return -(bp * system.b + cost.input).ldlt().solve(bp * system.a);
}

LinearPolicy optimal_policy(const LinearSystem& system, const QuadraticCost& cost) {
  const MatrixXd gain = optimal_gain(system, cost);
  // Estimation is the dual of control: (A^T, C^T, process, measurement) for (A, B, Q, R).
  const MatrixXd& c = system.c;
  const MatrixXd sigma = solve_riccati(system.a.transpose(), c.transpose(), system.process, system.measurement);
  const MatrixXd innovation = c * sigma * c.transpose() + system.measurement;
  const MatrixXd kalman = innovation.ldlt().solve(c * sigma).transpose();
  const MatrixXd closed = system.a + system.b * gain;
  return {closed - kalman * c * closed, kalman, gain};
}

LinearPolicy optimal_static_policy(const LinearSystem& system, const QuadraticCost& cost) {
  return LinearPolicy::still(optimal_gain(system, cost) * system.c.inverse());
}

SymmetrySpec policy_symmetry(PolicyKind kind, const LinearSystem& system) {
  const std::int64_t n = system.states();
  const std::int64_t m = system.inputs();
  const std::int64_t p = system.observations();
  auto layout = std::make_shared<ParamLayout>();
  if (kind == PolicyKind::kStatic) {
    layout->add("K", {m, p});
    return {layout, {}, {}};
  }
  layout->add("A", {n, n});
  layout->add("B", {n, p});
  layout->add("C", {m, n});
  return {layout,
          {{.name = "state", .size = static_cast<int>(n), .kind = GroupKind::kGeneralLinear}},
          {{.tensor = 0, .axis = 0, .group = 0},
           {.tensor = 0, .axis = 1, .group = 0, .dual = true},
           {.tensor = 1, .axis = 0, .group = 0},
           {.tensor = 2, .axis = 1, .group = 0, .dual = true}}};
}

LinearPolicy to_policy(PolicyKind kind, const ParamVector& weights) {
  if (kind == PolicyKind::kStatic) return LinearPolicy::still(matrix_of(weights, 0));
  return {matrix_of(weights, 0), matrix_of(weights, 1), matrix_of(weights, 2)};
}

void to_weights(PolicyKind kind, const LinearPolicy& policy, ParamVector& weights) {
  if (kind == PolicyKind::kStatic) return assign(policy.c, 0, weights);
  assign(policy.a, 0, weights);
  assign(policy.b, 1, weights);
  assign(policy.c, 2, weights);
}

}  // namespace fleet
