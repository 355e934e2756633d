#include "lqg/expected_cost.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "lqg/demonstrations.hpp"
#include "systems.hpp"

namespace fleet {
namespace {

using namespace lqg_test;

/// Nearly, but not the optimal policy.
LinearPolicy near_optimal(const LinearSystem& system, const QuadraticCost& cost, double distance,
                          RandomStream& stream) {
  LinearPolicy policy = optimal_policy(system, cost);
  policy.a += distance * gaussian(policy.a.rows(), policy.a.cols(), stream);
  policy.b += distance * gaussian(policy.b.rows(), policy.b.cols(), stream);
  policy.c += distance * gaussian(policy.c.rows(), policy.c.cols(), stream);
  return policy;
}

TEST(ExpectedCost, is_the_mean_of_roll_outs) {
  const LinearSystem system = random_system(3, 4, 1.05, 1);
  const QuadraticCost cost = random_cost(system, 2);
  RandomStream stream(4, Purpose::kTest);
  const LinearPolicy policy = near_optimal(system, cost, 0.02, stream);
  const Simulator simulator(system);
  constexpr int kHorizon = 20;
  constexpr int kRollOuts = 20000;
  double sum = 0.0;
  double squares = 0.0;
  MatrixXd moment = MatrixXd::Zero(4, 4);
  for (int i = 0; i < kRollOuts; ++i) {
    double total = 0.0;
    simulator.roll_out(policy, kHorizon, stream,
                       [&](int, const Eigen::VectorXd& x, const Eigen::VectorXd& y, const Eigen::VectorXd& u) {
                         total += x.dot(cost.state * x) + u.dot(cost.input * u);
                         moment += y * y.transpose() / (kHorizon * kRollOuts);
                       });
    sum += total / kHorizon;
    squares += total / kHorizon * total / kHorizon;
  }
  const double mean = sum / kRollOuts;
  const double error = std::sqrt((squares / kRollOuts - mean * mean) / kRollOuts);
  EXPECT_NEAR(expected_cost(system, cost, policy, kHorizon), mean, 4.0 * error);
  EXPECT_LT(error, 0.02 * mean);
  EXPECT_TRUE(moment.isApprox(observation_moment(system, policy, kHorizon), 0.03));
}

TEST(ExpectedCost, of_long_horizons_tends_to_the_stationary_cost) {
  const LinearSystem system = random_system(4, 6, 0.9, 3);
  const QuadraticCost cost = random_cost(system, 4);
  RandomStream stream(5, Purpose::kTest);
  for (const LinearPolicy& policy :
       {optimal_policy(system, cost), LinearPolicy::zero(system), near_optimal(system, cost, 0.01, stream)}) {
    const double limit = stationary_cost(system, cost, policy);
    EXPECT_NEAR(expected_cost(system, cost, policy, 200000) / limit, 1.0, 1e-3);
  }
}

TEST(StationaryCost, of_the_optimal_policy_is_known) {
  // tr(P W) + tr(K^T (R + B^T P B) K S) with S the covariance of the filter's error, of which the control knows
  // nothing.
  const LinearSystem system = random_system(4, 6, 1.1, 6);
  const QuadraticCost cost = random_cost(system, 7);
  const MatrixXd p = solve_riccati(system.a, system.b, cost.state, cost.input);
  const MatrixXd gain = optimal_gain(system, cost);
  const MatrixXd ahead = solve_riccati(system.a.transpose(), system.c.transpose(), system.process, system.measurement);
  const MatrixXd innovation = system.c * ahead * system.c.transpose() + system.measurement;
  const MatrixXd filtered = ahead - ahead * system.c.transpose() * innovation.inverse() * system.c * ahead;
  const double expected =
      (p * system.process).trace() +
      (gain.transpose() * (cost.input + system.b.transpose() * p * system.b) * gain * filtered).trace();
  EXPECT_NEAR(stationary_cost(system, cost, optimal_policy(system, cost)) / expected, 1.0, 1e-10);
}

TEST(StationaryCost, no_policy_nearby_costs_less_than_the_optimal_one) {
  const LinearSystem system = random_system(4, 6, 1.1, 6);
  const QuadraticCost cost = random_cost(system, 7);
  const double least = stationary_cost(system, cost, optimal_policy(system, cost));
  RandomStream stream(8, Purpose::kTest);
  for (int i = 0; i < 200; ++i) {
    EXPECT_GE(stationary_cost(system, cost, near_optimal(system, cost, 1e-3, stream)), least * (1.0 - 1e-12));
  }
}

TEST(StationaryCost, of_a_static_law_on_noiseless_states_is_that_of_the_regulator) {
  LinearSystem system = random_system(4, 4, 1.1, 6);
  system.measurement.setZero();
  const QuadraticCost cost = random_cost(system, 7);
  const MatrixXd p = solve_riccati(system.a, system.b, cost.state, cost.input);
  EXPECT_NEAR(stationary_cost(system, cost, optimal_static_policy(system, cost)) / (p * system.process).trace(), 1.0,
              1e-10);
}

TEST(Cost, does_not_depend_on_the_basis_of_the_state) {
  const LinearSystem system = random_system(3, 5, 1.2, 9);
  const QuadraticCost cost = random_cost(system, 9);
  const LinearPolicy policy = optimal_policy(system, cost);
  RandomStream stream(10, Purpose::kTest);
  for (int i = 0; i < 20; ++i) {
    const LinearPolicy moved = policy.in_basis(invertible(3, stream));
    EXPECT_NEAR(stationary_cost(system, cost, moved) / stationary_cost(system, cost, policy), 1.0, 1e-8);
    EXPECT_NEAR(expected_cost(system, cost, moved, 50) / expected_cost(system, cost, policy, 50), 1.0, 1e-8);
  }
}

TEST(Cost, of_an_unstable_policy_is_infinite_and_never_nan) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const LinearSystem system = random_system(3, 5, 1.2, 9);
  const QuadraticCost cost = random_cost(system, 9);
  EXPECT_EQ(stationary_cost(system, cost, LinearPolicy::zero(system)), kInfinity);
  EXPECT_TRUE(std::isfinite(expected_cost(system, cost, LinearPolicy::zero(system), 100)));
  LinearPolicy wild = optimal_policy(system, cost);
  wild.c *= -1e6;
  for (const int horizon : {20, 100, 1000}) EXPECT_FALSE(std::isnan(expected_cost(system, cost, wild, horizon)));
  EXPECT_EQ(expected_cost(system, cost, wild, 1000), kInfinity);
  wild.c.setConstant(NAN);
  EXPECT_EQ(stationary_cost(system, cost, wild), kInfinity);
  EXPECT_EQ(expected_cost(system, cost, wild, 10), kInfinity);
}

}  // namespace
}  // namespace fleet
