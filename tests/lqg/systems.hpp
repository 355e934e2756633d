// Systems to test on.
#pragma once

#include <Eigen/Dense>

#include "base/random.hpp"
#include "lqg/linear_policy.hpp"
#include "lqg/matrix_equations.hpp"

namespace fleet::lqg_test {

using Eigen::Index;
using Eigen::MatrixXd;

inline MatrixXd gaussian(Index rows, Index columns, RandomStream& stream) {
  MatrixXd matrix(rows, columns);
  for (double& value : matrix.reshaped()) value = stream.normal();
  return matrix;
}

inline MatrixXd positive(Index size, RandomStream& stream) {
  const MatrixXd root = gaussian(size, size, stream);
  return root * root.transpose() + 0.1 * MatrixXd::Identity(size, size);
}

/// An invertible matrix that is far from orthogonal, but not near singular.
inline MatrixXd invertible(Index size, RandomStream& stream) {
  return MatrixXd::Identity(size, size) + 0.8 / std::sqrt(static_cast<double>(size)) * gaussian(size, size, stream);
}

/// n states, two inputs, p observations, and the given spectral radius.
inline LinearSystem random_system(Index n, Index p, double radius, std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kTest);
  LinearSystem system{.a = gaussian(n, n, stream), .b = gaussian(n, 2, stream), .c = gaussian(p, n, stream)};
  system.a *= radius / spectral_radius(system.a);
  system.process = positive(n, stream);
  system.measurement = positive(p, stream);
  system.initial = positive(n, stream);
  return system;
}

inline QuadraticCost random_cost(const LinearSystem& system, std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kTest, 1);
  return {positive(system.states(), stream), positive(system.inputs(), stream)};
}

}  // namespace fleet::lqg_test
