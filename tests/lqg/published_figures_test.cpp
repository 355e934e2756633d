// The figures of the paper's linear experiments (Fig. 13), as medians over trials, and what methods must reach there.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "awake.hpp"
#include "comm/placement.hpp"
#include "linear_fleet.hpp"

namespace fleet {
namespace {

using lqg_test::merger_called;
using lqg_test::options_of;

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// The mean over tasks of the metric called `name`.
double score(Workload& workload, const ParamVector& weights, const std::string& name) {
  const std::vector<std::string> names = workload.metrics();
  const auto metric = static_cast<std::size_t>(std::find(names.begin(), names.end(), name) - names.begin());
  Score total;
  for (int part = 0; part < workload.test_parts(); ++part) {
    const Score score = workload.test_scores(weights, part)[metric];
    total.sum += score.sum;
    total.samples += score.samples;
  }
  return total.sum / total.samples;
}

/// Final cost ratios by method and trial; "local" is the mean over robots, "own" on their own tasks alone.
using Ratios = std::map<std::string, std::vector<double>>;

/// Trains a fleet per trial, once, and merges it in one shot by every method. The robots and merging are spread over
/// ranks.
Ratios one_shot(const std::string& text, int trials, const std::vector<std::pair<std::string, std::string>>& methods) {
  const Comm world = MpiSession::world();
  const auto never = [] { return false; };
  Ratios ratios;
  for (int trial = 0; trial < trials; ++trial) {
    const LqgOptions options = options_of("fleet.robots = 10\n" + text, static_cast<std::uint64_t>(trial));
    const std::unique_ptr<Workload> workload = make_lqg_workload(options);
    const Placement placement{.robots = options.robots, .ranks = world.size()};
    std::vector<std::unique_ptr<Awake>> robots;
    MergeInput input{.symmetry = &workload->symmetry(), .seed = options.seed, .round = 1};
    std::vector<double> scores;
    for (int i = 0; i < options.robots; ++i) input.participants.push_back(i);
    for (int i = placement.begin(world.rank()); i < placement.end(world.rank()); ++i) {
      robots.push_back(awake(*workload, i));
      robots.back()->train(2000, never);
      input.rows.push_back({i, &robots.back()->weights(), 5.0, true, robots.back().get()});
      scores.push_back(score(*workload, robots.back()->weights(), "cost_ratio"));
      const int task = i % workload->test_parts();
      scores.push_back(workload->test_scores(robots.back()->weights(), task)[0].sum);
    }
    const std::vector<double> all = world.all_gather(scores);
    Score local;
    Score own;
    for (std::size_t i = 0; i < all.size(); i += 2) {
      local.sum += all[i] / options.robots;
      own.sum += all[i + 1] / options.robots;
    }
    ratios["local"].push_back(local.sum);
    ratios["own"].push_back(own.sum);
    for (const auto& [label, settings] : methods) {
      const std::string method = label.substr(0, label.find(' '));
      const ParamVector merged = merger_called(method, settings)->merge(input, world).merged;
      ratios[label].push_back(score(*workload, merged, "cost_ratio"));
    }
  }
  return ratios;
}

const std::vector<std::pair<std::string, std::string>> kMethods = {
    {"average", ""}, {"git-rebasin", ""}, {"gl", ""}, {"gl gradient", "merge.gl.solver = \"gradient\""}};
constexpr int kTrials = 5;

TEST(PublishedFigures, static_policies_of_many_tasks_average_without_loss_of_their_own) {
  const std::string text =
      "policy.kind = \"static\"\nsystem.c = [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]\nnoise.measurement = 0";
  const Ratios ratios = one_shot(text, kTrials, {{"average", ""}});
  for (const double ratio : ratios.at("average")) EXPECT_NEAR(ratio, 1.2396, 1e-3);
  for (const double ratio : ratios.at("own")) EXPECT_NEAR(ratio, 1.0, 1e-6);
}

TEST(PublishedFigures, one_task_merged_over_gl_costs_hardly_more_than_the_optimum) {
  const Ratios ratios = one_shot("tasks.weights = [0.599484250318941]", kTrials, kMethods);
  EXPECT_LE(median(ratios.at("own")), 1.01);
  EXPECT_LE(median(ratios.at("gl")), 1.02);
  EXPECT_LE(median(ratios.at("gl gradient")), 1.02);
  EXPECT_GE(median(ratios.at("git-rebasin")), 1.15);
  EXPECT_GE(median(ratios.at("average")), 3.0);
}

TEST(PublishedFigures, many_tasks_merged_over_gl_cost_less_than_any_robots_own_policy) {
  const Ratios ratios = one_shot("", kTrials, kMethods);
  EXPECT_LE(median(ratios.at("own")), 1.01);
  EXPECT_LE(median(ratios.at("gl")), 1.28);
  EXPECT_LT(median(ratios.at("gl")), median(ratios.at("local")));
  EXPECT_GE(median(ratios.at("git-rebasin")), 1.15);
  EXPECT_GE(median(ratios.at("average")), 3.0);
}

TEST(PublishedFigures, policies_of_opposite_sign_merge_over_gl_alone) {
  const std::string text =
      "system.a = [[1.1, 0.03, -0.02], [0.01, 0.47, 4.7], [0.02, -0.06, 0.40]]\n"
      "system.b = [[0.01, 0.99], [-3.44, 1.66], [-0.83, 0.44]]\ntasks.weights = [1.0]\n"
      "fleet.initialization = \"common\"\nfleet.flipped = 0.5";
  const Ratios ratios = one_shot(text, kTrials, kMethods);
  EXPECT_LE(median(ratios.at("own")), 1.01);
  EXPECT_LE(median(ratios.at("gl")), 1.01);
  EXPECT_LE(median(ratios.at("gl gradient")), 1.01);
  EXPECT_GE(median(ratios.at("average")), 1e6);
}

TEST(PublishedFigures, in_one_dimension_no_permutation_helps) {
  const std::string text =
      "system.a = 1.1\nsystem.b = 1\nsystem.observations = 10\ntasks.weights = [1.0]\n"
      "fleet.initialization = \"common\"\nfleet.flipped = 0.5";
  const Ratios ratios = one_shot(text, kTrials, kMethods);
  EXPECT_LE(median(ratios.at("gl")), 1.01);
  EXPECT_GE(median(ratios.at("average")), 1e6);
  EXPECT_GE(median(ratios.at("git-rebasin")), 1e6);
}

}  // namespace
}  // namespace fleet
