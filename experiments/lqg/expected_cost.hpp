// What a policy costs, exactly: by recursion on the covariance of states and estimates, without a single roll-out.
#pragma once

#include "lqg/linear_policy.hpp"

namespace fleet {

/// The mean over t < `horizon` of E[x_t^T Q x_t + u_t^T R u_t]; +inf if it overflows, never NaN.
[[nodiscard]] double expected_cost(const LinearSystem& system, const QuadraticCost& cost, const LinearPolicy& policy,
                                   int horizon);
/// J of eq. (G.2), its limit as the horizon grows, by a Lyapunov equation; +inf if the policy does not stabilise the
/// system.
[[nodiscard]] double stationary_cost(const LinearSystem& system, const QuadraticCost& cost, const LinearPolicy& policy);
/// The mean over t < `horizon` of E[y_t y_t^T] under `policy`, p x p.
[[nodiscard]] Eigen::MatrixXd observation_moment(const LinearSystem& system, const LinearPolicy& policy, int horizon);

}  // namespace fleet
