#include "lqg/matrix_equations.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "systems.hpp"

namespace fleet {
namespace {

using namespace lqg_test;

TEST(Riccati, solutions_satisfy_the_equation_and_stabilise_the_system) {
  for (const Index n : {1, 2, 4, 8, 16, 32}) {
    for (const double radius : {0.5, 1.0, 1.3, 3.0}) {
      const LinearSystem system = random_system(n, 3, radius, static_cast<std::uint64_t>(n));
      const QuadraticCost cost = random_cost(system, 5);
      const MatrixXd p = solve_riccati(system.a, system.b, cost.state, cost.input);
      // 32 states that grow threefold a step and two inputs: entries of 1e10.
      const double bound = radius < 2.0 ? 1e-13 : 1e-8;
      EXPECT_LT(riccati_residual(system.a, system.b, cost.state, cost.input, p), bound) << n << ", " << radius;
      EXPECT_GT(p.eigenvalues().real().minCoeff(), 0.0);
      EXPECT_LT(spectral_radius(system.a + system.b * optimal_gain(system, cost)), 1.0) << n << ", " << radius;
    }
  }
}

TEST(Riccati, the_scalar_equation_has_its_closed_form) {
  // p = a^2 p r / (r + b^2 p) + q:  b^2 p^2 + (r - a^2 r - b^2 q) p - q r = 0.
  for (const double a : {0.0, 0.9, 1.0, 1.1, 10.0}) {
    const double b = 0.7;
    const double q = 2.0;
    const double r = 0.3;
    const double half = (r - a * a * r - b * b * q) / 2.0;
    const double expected = (-half + std::sqrt(half * half + b * b * q * r)) / (b * b);
    const auto one = [](double value) { return MatrixXd::Constant(1, 1, value); };
    EXPECT_NEAR(solve_riccati(one(a), one(b), one(q), one(r))(0, 0) / expected, 1.0, 1e-12) << a;
  }
}

TEST(Riccati, is_the_limit_of_the_plain_iteration) {
  const LinearSystem system = random_system(5, 3, 1.2, 8);
  const QuadraticCost cost = random_cost(system, 9);
  MatrixXd p = cost.state;
  for (int i = 0; i < 2000; ++i) {
    const MatrixXd bp = system.b.transpose() * p;
    p = (system.a.transpose() * p * system.a -
         (bp * system.a).transpose() * (bp * system.b + cost.input).ldlt().solve(bp * system.a) + cost.state)
            .eval();
    p = (0.5 * (p + p.transpose())).eval();  // without which rounding makes it diverge
  }
  EXPECT_TRUE(p.isApprox(solve_riccati(system.a, system.b, cost.state, cost.input), 1e-10));
}

TEST(Riccati, without_a_stabilising_solution_is_an_error) {
  const MatrixXd a = MatrixXd{{1.1, 0.0}, {0.0, 0.5}};
  const MatrixXd b = MatrixXd{{0.0}, {1.0}};  // does not reach the unstable mode
  EXPECT_THROW((void)solve_riccati(a, b, MatrixXd::Identity(2, 2), MatrixXd::Identity(1, 1)), Error);
}

TEST(Lyapunov, solutions_satisfy_the_equation) {
  for (const double radius : {0.0, 0.3, 0.99, 0.99999}) {
    RandomStream stream(3, Purpose::kTest);
    MatrixXd f = gaussian(6, 6, stream);
    f *= radius / spectral_radius(f);
    const MatrixXd w = positive(6, stream);
    const std::optional<MatrixXd> x = solve_lyapunov(f, w);
    ASSERT_TRUE(x.has_value()) << radius;
    EXPECT_TRUE(x->isApprox(f * *x * f.transpose() + w, 1e-9)) << radius;
  }
}

TEST(Lyapunov, has_no_solution_on_or_outside_the_unit_circle) {
  for (const double radius : {1.0, 1.001, 50.0}) {
    EXPECT_FALSE(solve_lyapunov(MatrixXd::Constant(1, 1, radius), MatrixXd::Identity(1, 1)).has_value()) << radius;
  }
  EXPECT_FALSE(solve_lyapunov(MatrixXd::Constant(1, 1, NAN), MatrixXd::Identity(1, 1)).has_value());
}

}  // namespace
}  // namespace fleet
