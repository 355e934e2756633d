// Candidates for the consensus: single robots beside what layers are merged to, judged by loss or by trials.
#include "merge/choice.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "merge/consensus.hpp"
#include "merge/methods.hpp"
#include "toy_fleet.hpp"
#include "values.hpp"

namespace fleet {
namespace {

using toy::ToyFleet;
using Keys = std::map<std::string, Value>;

ParamVector merged_by(const Keys& keys, const MergeInput& input, const Comm& comm) {
  return make_method("regression", keys)->merge(input, comm).merged;
}
Keys body(const char* name) {
  return {{"merge.regression.body", Value(name)}, {"merge.regression.align", Value("none")}};
}

/// Every robot's weights, in the order of robots.
std::vector<ParamVector> robots_of(const MergeInput& input, const Comm& comm) {
  return all_participants(input, comm);
}

TEST(Candidates, a_robot_as_it_is_is_the_one_of_least_loss) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const MergeInput input = fleet.input({0, 1, 3});
  const ParamVector merged = merged_by(body("robot"), input, world);
  const double loss = fleet_loss(input, merged, world);
  bool is_one = false;
  for (const ParamVector& robot : robots_of(input, world)) {
    EXPECT_LE(loss, fleet_loss(input, robot, world));
    is_one = is_one || values(robot) == values(merged);
  }
  EXPECT_TRUE(is_one);
}

TEST(Candidates, one_that_is_no_number_is_kept_by_nobody) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(3, world);
  for (std::size_t row = 0; row < fleet.rows(); ++row) {  // the first that is tried
    if (fleet.index(row) == 0) fleet.weights(row).flat()[0] = std::numeric_limits<float>::quiet_NaN();
  }
  const MergeInput input = fleet.input({0, 1, 2});
  EXPECT_TRUE(std::isfinite(fleet_loss(input, merged_by(body("robot"), input, world), world)));
}

TEST(Candidates, an_own_body_is_a_robots_but_for_the_head_that_suits_the_fleet) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const MergeInput input = fleet.input({0, 1, 3});
  const ParamVector merged = merged_by(body("own"), input, world);
  const auto body_of = [](const ParamVector& weights) {
    std::vector<float> body(weights.tensor(0).begin(), weights.tensor(0).end());
    body.insert(body.end(), weights.tensor(1).begin(), weights.tensor(1).end());
    return body;
  };
  const std::vector<ParamVector> robots = robots_of(input, world);
  const auto owner = std::ranges::find(robots, body_of(merged), body_of);
  ASSERT_NE(owner, robots.end());
  EXPECT_LT(fleet_loss(input, merged, world), fleet_loss(input, *owner, world));
}

/// Aligned or not, a robot computes what it computes.
TEST(Candidates, an_own_body_does_not_depend_on_the_alignment) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const MergeInput input = fleet.input({0, 1, 2, 3});
  const Keys aligned{{"merge.regression.body", Value("own")}};
  const double loss = fleet_loss(input, merged_by(aligned, input, world), world);
  EXPECT_NEAR(loss, fleet_loss(input, merged_by(body("own"), input, world), world), 1e-4 * loss);
}

TEST(Candidates, any_is_no_worse_than_each_kind) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(5, world);
  const MergeInput input = fleet.input({0, 1, 2, 4});
  const double any = fleet_loss(input, merged_by(body("any"), input, world), world);
  for (const char* kind : {"best", "own", "robot"}) {
    EXPECT_LE(any, fleet_loss(input, merged_by(body(kind), input, world), world)) << kind;
  }
}

TEST(Candidates, single_robots_take_turns) {
  EXPECT_EQ(make_method("regression", body("average"))->needs().exchange, Exchange::kSums);
  for (const char* kind : {"own", "robot", "any"}) {
    EXPECT_EQ(make_method("regression", body(kind))->needs().exchange, Exchange::kInTurn) << kind;
  }
}

/// A robot whose trials only what it is told of passes, whatever its loss.
class Partial final : public LocalData {
 public:
  Partial(LocalData& own, const ParamVector& liked) : own_(own), liked_(liked) {}
  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    return own_.loss_gradient(at, batch, stream, gradient);
  }
  Score held_out_score(const ParamVector& at) override { return own_.held_out_score(at); }
  Score held_out_loss(const ParamVector& at) override { return own_.held_out_loss(at); }
  bool is_quadratic() const override { return true; }
  Score trials(const ParamVector& at, int episodes, std::uint64_t draw) override {
    draws.push_back(draw);
    return {std::ranges::equal(at.flat(), liked_.flat()) ? static_cast<double>(episodes) : 0.0,
            static_cast<double>(episodes)};
  }
  std::vector<std::uint64_t> draws;

 private:
  LocalData& own_;
  const ParamVector& liked_;
};

TEST(Trials, choose_what_succeeds_whatever_its_loss) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  MergeInput input = fleet.input({0, 1, 2, 3});
  const std::vector<ParamVector> robots = robots_of(input, world);
  const auto worst =
      std::ranges::max_element(robots, {}, [&](const ParamVector& robot) { return fleet_loss(input, robot, world); });
  std::vector<Partial> partial;
  partial.reserve(input.rows.size());
  for (MergeRow& row : input.rows) row.data = &partial.emplace_back(*row.data, *worst);
  Keys keys = body("robot");
  EXPECT_NE(values(merged_by(keys, input, world)), values(*worst));
  keys.emplace("merge.choose", Value("trials"));
  keys.emplace("merge.trials", Value(std::int64_t{7}));
  MergeCost cost;
  input.cost = &cost;
  EXPECT_EQ(values(merged_by(keys, input, world)), values(*worst));
  EXPECT_EQ(cost.episodes, 4U * 4U * 7U) << "four robots try four candidates";
  for (const Partial& robot : partial) {
    EXPECT_EQ(robot.draws.size(), 4U);
    EXPECT_EQ(std::ranges::count(robot.draws, robot.draws.front()), 4) << "the same trials for all";
  }
  EXPECT_TRUE(make_method("regression", keys)->needs().asks.contains(Question::kTrials));
  EXPECT_TRUE(make_method("best-of", keys)->needs().asks.contains(Question::kTrials));
}

TEST(Trials, among_equals_the_loss_decides) {
  EXPECT_LT((Verdict{.failures = 0.2, .loss = 9.0}), (Verdict{.failures = 0.3, .loss = 1.0}));
  EXPECT_LT((Verdict{.failures = 0.2, .loss = 1.0}), (Verdict{.failures = 0.2, .loss = 9.0}));
}

}  // namespace
}  // namespace fleet
