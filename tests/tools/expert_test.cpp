#include "tools/expert.hpp"

#include <Eigen/LU>

#include "simulation/rollout.hpp"
#include "tools/worlds.hpp"

namespace fleet::tools {
namespace {

/// Every family with some episodes of it, just begun.
class ToolsExpert : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { family_ = all_families()[static_cast<std::size_t>(GetParam())]; }
  std::unique_ptr<Environment> begun(std::uint64_t seed) const {
    auto environment = std::make_unique<Environment>(0, family_, ObservationOptions{});
    environment->reset(drawn(family_, seed));
    return environment;
  }
  static std::optional<Path> plan_of(const Environment& environment) {
    RandomStream stream(1, Purpose::kTest);
    return plan(
        environment.situation(), [](const Path&) { return true; }, stream);
  }

  Family family_;
};
INSTANTIATE_TEST_SUITE_P(Families, ToolsExpert, testing::Range(0, 4), [](const auto& tested) {
  return own_families()[static_cast<std::size_t>(tested.param)].first;
});

TEST_P(ToolsExpert, knows_gradients_that_finite_differences_confirm) {
  constexpr double kStep = 1e-6;
  const auto environment = begun(1);
  const Situation situation = environment->situation();
  RandomStream stream(6, Purpose::kTest);
  for (int candidate = 0; candidate < family_.symmetry(); ++candidate) {
    const PostureProblem problem(situation, candidate);
    const auto equalities = static_cast<std::size_t>(problem.equalities());
    const auto inequalities = static_cast<std::size_t>(problem.inequalities());
    const Joints joints = ready_joints() + 0.3 * Joints::NullaryExpr([&] { return stream.normal(); });
    Joints slope;
    (void)problem.cost(joints, slope.data());
    std::vector<double> values(std::max(equalities, inequalities));
    std::vector<double> of_equalities(equalities * kJoints);
    std::vector<double> of_inequalities(inequalities * kJoints);
    problem.equality_values(joints, values.data(), of_equalities.data());
    problem.inequality_values(joints, values.data(), of_inequalities.data());
    for (int i = 0; i < kJoints; ++i) {
      const Joints more = joints + kStep * Joints::Unit(i);
      const Joints less = joints - kStep * Joints::Unit(i);
      EXPECT_NEAR(slope[i], (problem.cost(more, nullptr) - problem.cost(less, nullptr)) / (2 * kStep), 1e-6);
      std::vector<double> higher(values.size());
      std::vector<double> lower(values.size());
      problem.equality_values(more, higher.data(), nullptr);
      problem.equality_values(less, lower.data(), nullptr);
      for (std::size_t row = 0; row < equalities; ++row) {
        EXPECT_NEAR(of_equalities[row * kJoints + static_cast<std::size_t>(i)],
                    (higher[row] - lower[row]) / (2 * kStep), 1e-6);
      }
      problem.inequality_values(more, higher.data(), nullptr);
      problem.inequality_values(less, lower.data(), nullptr);
      for (std::size_t row = 0; row < inequalities; ++row) {
        EXPECT_NEAR(of_inequalities[row * kJoints + static_cast<std::size_t>(i)],
                    (higher[row] - lower[row]) / (2 * kStep), 1e-6);
      }
    }
  }
}

/// Whether keypoints are where they are wanted, by the text of the constraints alone.
void expect_met(const Situation& situation, const Joints& joints) {
  constexpr double kMost = 1e-3;
  const Pose hand = ArmPose(joints).hand();
  const auto tool = [&](ToolKeypoint which) { return Vec3(hand * situation.tool[static_cast<std::size_t>(which)]); };
  for (const Constraint& constraint : situation.family->constraints) {
    if (constraint.kind == Constraint::Kind::kPlace) {
      Vec3 wanted = Vec3::Zero();
      for (const int i : constraint.at) wanted += situation.object[static_cast<std::size_t>(i)];
      wanted = wanted / static_cast<double>(constraint.at.size()) + constraint.offset;
      if (constraint.height) wanted.z() = kTableTop + *constraint.height;
      EXPECT_LT((tool(constraint.from) - wanted).norm(), kMost);
      continue;
    }
    const Vec3 direction = (tool(constraint.to) - tool(constraint.from)).normalized();
    double nearest = 10;
    for (int k = 0; k < constraint.symmetry; ++k) {
      Vec3 with = constraint.with.vector;
      if (constraint.with.keypoints) {
        with = (situation.object[static_cast<std::size_t>(constraint.with.keypoints->second)] -
                situation.object[static_cast<std::size_t>(constraint.with.keypoints->first)])
                   .normalized();
      }
      with = rotation_of((constraint.with.turned + 2 * M_PI * k / constraint.symmetry) * Vec3::UnitZ()) * with;
      nearest = std::min(nearest, std::abs(direction.dot(with) - constraint.cosine));
    }
    EXPECT_LT(nearest, kMost);
  }
}

TEST_P(ToolsExpert, finds_postures_that_meet_the_constraints) {
  int found = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto environment = begun(seed);
    const Situation situation = environment->situation();
    for (int candidate = 0; candidate < family_.symmetry(); ++candidate) {
      const auto posture = solve_posture(PostureProblem(situation, candidate), situation.joints);
      if (!posture) continue;
      ++found;
      expect_met(situation, posture->joints);
    }
  }
  EXPECT_GE(found, 5);
}

TEST_P(ToolsExpert, plans_paths_through_the_key_frames_within_the_joints_limits) {
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto environment = begun(seed);
    const auto path = plan_of(*environment);
    if (!path) continue;
    EXPECT_EQ(path->at(0), environment->situation().joints);
    for (double time = 0; time < path->times().back() + 1; time += 0.01) {
      const Joints joints = path->at(time);
      EXPECT_TRUE((joints.array() >= joints_low().array()).all()) << time;
      EXPECT_TRUE((joints.array() <= joints_high().array()).all()) << time;
    }
  }
}

TEST_P(ToolsExpert, smooths_paths_to_the_shortest_that_pass_through_the_same_poses) {
  int smoothed = 0;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    const auto environment = begun(seed);
    const Situation situation = environment->situation();
    const auto posture = solve_posture(PostureProblem(situation, 0), situation.joints);
    if (!posture) continue;
    const std::vector<Pose> poses = key_poses(situation, posture->joints);
    const auto first = first_knots(situation, posture->joints, poses);
    if (!first) continue;
    const std::vector<Joints> knots = smooth_knots(situation, poses, *first);
    const double shortest = path_cost(situation, knots);
    EXPECT_LE(shortest, path_cost(situation, *first));
    if (knots.front() == first->front()) continue;
    ++smoothed;
    for (std::size_t k = 0; k < knots.size(); ++k) {
      const ArmPose arm(knots[k]);
      EXPECT_LT((arm.hand().position - poses[k].position).norm(), 1e-5);
      EXPECT_LT(rotation_vector(arm.hand().rotation * poses[k].rotation.transpose()).norm(), 1e-5);
      // What a knot may still do without moving the hand makes the path longer, whichever way.
      Eigen::Matrix<double, 6, kJoints> jacobian;
      jacobian << arm.of_point(arm.hand().position), arm.of_rotation();
      const Joints idle = Eigen::FullPivLU<Eigen::Matrix<double, 6, kJoints>>(jacobian).kernel().col(0).normalized();
      std::vector<Joints> moved = knots;
      constexpr double kStep = 1e-4;
      moved[k] = knots[k] + kStep * idle;
      const double ahead = path_cost(situation, moved);
      moved[k] = knots[k] - kStep * idle;
      const double back = path_cost(situation, moved);
      EXPECT_LT(std::abs(ahead - back) / (2 * kStep), 1e-4);
    }
  }
  EXPECT_GE(smoothed, 3);
}

TEST_P(ToolsExpert, plans_alike_from_the_same_stream) {
  const auto environment = begun(4);
  const auto one = plan_of(*environment);
  const auto two = plan_of(*environment);
  ASSERT_EQ(one.has_value(), two.has_value());
  if (one) {
    EXPECT_EQ(one->knots(), two->knots());
  }
}

TEST_P(ToolsExpert, says_so_where_constraints_cannot_be_met_and_the_run_goes_on) {
  family_.x = {1.5, 1.6};  // out of reach
  const auto environment = begun(1);
  std::vector<float> action(kActionSize);
  EXPECT_FALSE(environment->ask_expert(action));
  const simulation::EpisodeResult result =
      simulation::roll_out(*environment, kActionSize, simulation::expert_policy(), {}, family_.steps);
  EXPECT_TRUE(result.lost);
  EXPECT_EQ(result.steps, 0);
  environment->reset(drawn(family_, 2));
  EXPECT_FALSE(environment->step(std::vector<float>(kActionSize, 0.0F)).over());
}

TEST_P(ToolsExpert, succeeds) {
  constexpr int kScenes = 12;
  int successes = 0;
  for (std::uint64_t seed = 100; seed < 100 + kScenes; ++seed) {
    const auto environment = begun(seed);
    const simulation::EpisodeResult result =
        simulation::roll_out(*environment, kActionSize, simulation::expert_policy(), {}, family_.steps);
    successes += result.success ? 1 : 0;
  }
  EXPECT_GE(successes, kScenes - 1);
}

TEST(ToolsPath, passes_through_its_knots_and_never_beyond_two_neighbours) {
  RandomStream stream(8, Purpose::kTest);
  std::vector<double> times;
  std::vector<Joints> knots;
  for (int k = 0; k < 8; ++k) {
    times.push_back(times.empty() ? 0 : times.back() + 0.1 + stream.uniform());
    knots.push_back(Joints::NullaryExpr([&] { return stream.normal(); }));
  }
  const Path path(times, knots);
  for (std::size_t k = 0; k < knots.size(); ++k) EXPECT_LT((path.at(times[k]) - knots[k]).norm(), 1e-12);
  EXPECT_EQ(path.at(times.back() + 5), knots.back());
  for (std::size_t k = 0; k + 1 < knots.size(); ++k) {
    const Joints low = knots[k].cwiseMin(knots[k + 1]).array() - 1e-12;
    const Joints high = knots[k].cwiseMax(knots[k + 1]).array() + 1e-12;
    for (int i = 0; i <= 20; ++i) {
      const Joints at = path.at(times[k] + i * (times[k + 1] - times[k]) / 20);
      EXPECT_TRUE((at.array() >= low.array()).all() && (at.array() <= high.array()).all());
    }
  }
}

}  // namespace
}  // namespace fleet::tools
