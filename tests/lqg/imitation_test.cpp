#include "lqg/imitation.hpp"

#include <gtest/gtest.h>

#include <array>

#include "systems.hpp"

namespace fleet {
namespace {

using namespace lqg_test;

/// `count` trajectories of the optimal policy.
Demonstrations demonstrations(const LinearSystem& system, const LinearPolicy& expert, int count, int horizon,
                              std::uint64_t seed) {
  std::vector<const LinearPolicy*> experts(static_cast<std::size_t>(count), &expert);
  std::vector<RandomStream> streams;
  for (std::uint64_t k = 0; k < experts.size(); ++k) streams.emplace_back(seed, Purpose::kTest, k);
  return Simulator(system).demonstrate(experts, horizon, streams);
}

LinearPolicy random_policy(Index n, const LinearSystem& system, double radius, RandomStream& stream) {
  LinearPolicy policy{gaussian(n, n, stream), gaussian(n, system.observations(), stream),
                      gaussian(system.inputs(), n, stream)};
  policy.a *= radius / spectral_radius(policy.a);
  return policy;
}

double norm(const LinearPolicy& policy) {
  return std::sqrt(policy.a.squaredNorm() + policy.b.squaredNorm() + policy.c.squaredNorm());
}

TEST(ImitationLoss, gradient_agrees_with_finite_differences) {
  const LinearSystem system = random_system(3, 5, 1.1, 1);
  const Demonstrations data = demonstrations(system, optimal_policy(system, random_cost(system, 1)), 4, 12, 2);
  ImitationLoss imitation(data);
  RandomStream stream(3, Purpose::kTest);
  for (const Index n : {1, 3, 4}) {  // the state may be smaller or larger than the system's
    const LinearPolicy at = random_policy(n, system, 0.9, stream);
    LinearPolicy gradient;
    EXPECT_EQ(imitation.loss_gradient(at, gradient), imitation.loss(at));
    const auto check = [&](MatrixXd LinearPolicy::*block) {
      for (Index i = 0; i < (at.*block).size(); ++i) {
        const double step = 1e-6;
        LinearPolicy above = at;
        LinearPolicy below = at;
        (above.*block)(i) += step;
        (below.*block)(i) -= step;
        const double slope = (imitation.loss(above) - imitation.loss(below)) / (2.0 * step);
        EXPECT_NEAR((gradient.*block)(i), slope, 1e-7 * norm(gradient)) << n << ", entry " << i;
      }
    };
    check(&LinearPolicy::a);
    check(&LinearPolicy::b);
    check(&LinearPolicy::c);
  }
}

TEST(ImitationLoss, is_the_mean_over_trajectories) {
  const LinearSystem system = random_system(3, 5, 1.1, 1);
  const LinearPolicy expert = optimal_policy(system, random_cost(system, 1));
  const std::array<Demonstrations, 2> sets{demonstrations(system, expert, 3, 10, 4),
                                           demonstrations(system, expert, 1, 10, 5)};
  RandomStream stream(6, Purpose::kTest);
  const LinearPolicy at = random_policy(3, system, 0.9, stream);
  const Demonstrations all = pooled(sets);
  const double expected = 0.75 * ImitationLoss(sets[0]).loss(at) + 0.25 * ImitationLoss(sets[1]).loss(at);
  EXPECT_NEAR(ImitationLoss(all).loss(at), expected, 1e-12 * expected);
  const Demonstrations twice = all.chosen(std::array{3, 3, 0, 1, 2, 0, 1, 2});
  EXPECT_NEAR(ImitationLoss(twice).loss(at), expected, 1e-12 * expected);
}

TEST(ImitationLoss, is_zero_at_the_expert_in_every_basis_and_so_is_its_gradient) {
  const LinearSystem system = random_system(3, 5, 1.1, 1);
  const LinearPolicy expert = optimal_policy(system, random_cost(system, 1));
  const Demonstrations data = demonstrations(system, expert, 3, 30, 4);
  RandomStream stream(7, Purpose::kTest);
  LinearPolicy gradient;
  const double scale = data.actions.squaredNorm() / static_cast<double>(data.steps());
  EXPECT_LT(ImitationLoss(data).loss_gradient(expert.in_basis(invertible(3, stream)), gradient), 1e-20 * scale);
  EXPECT_LT(norm(gradient), 1e-8 * scale);
}

TEST(Descent, takes_flipped_robots_through_flipped_policies) {
  // (A, B, C) -> (A, -B, -C) is orthogonal, so that ridge and clipping do not break the symmetry.
  const LinearSystem system = random_system(3, 5, 1.1, 1);
  const Demonstrations data = demonstrations(system, optimal_policy(system, random_cost(system, 1)), 3, 20, 4);
  RandomStream stream(8, Purpose::kTest);
  LinearPolicy one = random_policy(3, system, 0.5, stream);
  LinearPolicy other = one.in_basis(-MatrixXd::Identity(3, 3));
  const auto never = [] { return false; };
  ImitationLoss(data).descend({}, 50, never, one);
  ImitationLoss(data).descend({}, 50, never, other);
  EXPECT_EQ(one.a, other.a);
  EXPECT_EQ(one.b, -other.b);
  EXPECT_EQ(one.c, -other.c);
}

TEST(Descent, steps_are_no_longer_than_the_clip_allows) {
  const LinearSystem system = random_system(3, 5, 1.1, 1);
  const Demonstrations data = demonstrations(system, optimal_policy(system, random_cost(system, 1)), 3, 20, 4);
  RandomStream stream(8, Purpose::kTest);
  const LinearPolicy before = random_policy(3, system, 0.9, stream);
  LinearPolicy after = before;
  ImitationLoss(data).descend(
      {.learning_rate = 0.1, .clip = 0.5}, 1, [] { return false; }, after);
  EXPECT_NEAR(norm({after.a - before.a, after.b - before.b, after.c - before.c}), 0.05, 1e-12);
}

TEST(StaticFit, recovers_the_gain) {
  LinearSystem system = random_system(4, 4, 1.1, 1);
  system.measurement.setZero();
  const LinearPolicy expert = optimal_static_policy(system, random_cost(system, 1));
  EXPECT_TRUE(fit_static_gain(demonstrations(system, expert, 2, 20, 4)).isApprox(expert.c, 1e-10));
}

TEST(StaticFit, is_where_the_loss_has_no_slope) {
  const LinearSystem system = random_system(3, 3, 1.1, 1);
  const LinearPolicy expert = optimal_policy(system, random_cost(system, 1));  // which no static law can imitate
  const Demonstrations data = demonstrations(system, expert, 2, 20, 4);
  LinearPolicy gradient;
  const double loss = ImitationLoss(data).loss_gradient(LinearPolicy::still(fit_static_gain(data)), gradient);
  EXPECT_GT(loss, 1e-3);
  EXPECT_LT(gradient.c.norm(), 1e-10 * loss);
}

}  // namespace
}  // namespace fleet
