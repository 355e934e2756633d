// Layer regression's laws: its linear algebra is exact, copies merge to the original, and what is measured is kept.
#include "merge/regression.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_moments.hpp"
#include "merge/head.hpp"
#include "merge/methods.hpp"
#include "toy_fleet.hpp"

namespace fleet {
namespace {

const MergeInput kNobody{};  // whose costs are not counted

/// The fleet's moments of the toy's last map behind the weights `features`, towards the targets.
MapMoments label_moments(const MergeInput& input, const ParamVector& features, const Comm& comm) {
  return sum_moments(input, comm, input.maps.back(), [&](std::size_t i) -> std::optional<MapMoments> {
    return input.rows[i].data->head_data(features)->moments();
  });
}

TEST(SolveMap, its_gradient_is_zero) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(5, world);
  const MergeInput input = fleet.input({0, 1, 2, 3, 4});
  ParamVector features(fleet.symmetry().layout());
  RandomStream stream(3, Purpose::kTest);
  for (float& w : features.flat()) w = static_cast<float>(stream.normal());
  const MapMoments sums = label_moments(input, features, world);
  const RowMatrix prior = RowMatrix::Constant(toy::kOutputs, toy::kHidden, 0.5F);
  for (const double ridge : {1e-3, 1.0, 1e3}) {
    const RowMatrix solution = solve_map(input, sums, ridge, prior, world);
    const double weight = ridge * sums.inputs.trace() / toy::kHidden;
    const Eigen::MatrixXd gradient =
        solution.cast<double>() * sums.inputs - sums.targets + weight * (solution - prior).cast<double>();
    EXPECT_LT(gradient.norm(), 1e-5 * (sums.targets.norm() + weight)) << ridge;
  }
}

TEST(SolveMap, a_strong_ridge_returns_the_prior) {
  const Comm world = MpiSession::world();
  MapMoments moments{DoubleMatrix::Identity(3, 3), DoubleMatrix::Ones(2, 3), 10.0};
  const RowMatrix prior = RowMatrix::Constant(2, 3, -2.0F);
  EXPECT_TRUE(solve_map(kNobody, moments, 1e9, prior, world).isApprox(prior, 1e-5F));
  moments.inputs(1, 1) = NAN;
  EXPECT_THROW((void)solve_map(kNobody, moments, 1e-4, prior, world), Error);
}

/// A head of squared errors behind features that are given.
class GivenFeatures final : public HeadData {
 public:
  GivenFeatures(Eigen::MatrixXd features, Eigen::MatrixXd targets)
      : features_(std::move(features)), targets_(std::move(targets)) {}
  MapMoments moments() const override {
    return {features_.transpose() * features_, targets_.transpose() * features_, static_cast<double>(features_.rows())};
  }
  void change_basis(const Eigen::MatrixXd& lower) override {
    features_ = lower.triangularView<Eigen::Lower>().solve(features_.transpose()).transpose();
  }
  void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
    const Eigen::MatrixXd error = features_ * head.cast<double>().transpose() - targets_;
    gradient += (error.transpose() * features_).cast<float>();
  }
  double curvature() const override { return 1.0; }

 private:
  Eigen::MatrixXd features_;  // rows x inputs
  Eigen::MatrixXd targets_;
};

/// The curvature may not be more than 1 in the basis of the steps: with many units, two robots and fewer samples than
/// units, what single precision takes from moments would let them grow without bound.
TEST(SolvedHead, of_a_wide_layer_stays_bounded) {
  const Comm alone = MpiSession::world().split(MpiSession::world().rank());
  constexpr int kSamples = 300;
  constexpr int kUnits = 769;
  for (const int inner : {2, 20}) {  // numbers that the features are made of
    RandomStream stream(8, Purpose::kTest, static_cast<std::uint64_t>(inner));
    const auto normal = [&](int rows, int columns) {
      Eigen::MatrixXd matrix(rows, columns);
      for (double& value : matrix.reshaped()) value = stream.normal();
      return matrix;
    };
    const Eigen::MatrixXd first = normal(inner, kUnits);
    std::vector<Eigen::MatrixXd> features;
    std::vector<Eigen::MatrixXd> targets;
    std::vector<std::unique_ptr<HeadData>> parts;
    auto layout = std::make_shared<ParamLayout>();
    layout->add("weight", {1, kUnits});
    const SymmetrySpec symmetry(layout, {}, {});
    const std::vector<AffineMap> maps = {{.name = "head", .weights = {0}, .bias = {}}};
    MergeInput input{.symmetry = &symmetry, .maps = maps, .rows = {{}, {}}, .participants = {0, 1}};
    for (int robot = 0; robot < 2; ++robot) {
      features.push_back((normal(kSamples, inner) * first).cwiseMax(0.0));
      targets.push_back(normal(kSamples, 1));
      parts.push_back(std::make_unique<GivenFeatures>(features.back(), targets.back()));
    }
    const MapMoments sum = sum_moments(input, alone, maps.back(),
                                       [&](std::size_t i) -> std::optional<MapMoments> { return parts[i]->moments(); });
    const auto loss = [&](const RowMatrix& head) {
      double total = 0.0;
      for (std::size_t i = 0; i < features.size(); ++i) {
        total += (features[i] * head.cast<double>().transpose() - targets[i]).squaredNorm();
      }
      return total;
    };
    const RowMatrix start = RowMatrix::Zero(1, kUnits);
    const RowMatrix head = solve_head({.iterations = 300, .ridge = 1e-6}, input, parts, sum, start, alone);
    EXPECT_LT(loss(head), loss(start)) << inner;
    EXPECT_LT(head.norm(), 1e3F) << inner;
  }
}

/// Second moments that rounding has left with a negative eigenvalue, -2e-4.
MapMoments rounded_moments() {
  MapMoments moments{DoubleMatrix::Ones(2, 2), DoubleMatrix::Ones(1, 2), 10.0};
  moments.inputs(0, 1) = moments.inputs(1, 0) = 1.0002;
  moments.targets(0, 1) = 0.5F;
  return moments;
}

TEST(SolveMap, takes_the_least_ridge_of_ten_times_its_own_that_makes_rounded_moments_definite) {
  const Comm world = MpiSession::world();
  MapMoments moments = rounded_moments();
  const RowMatrix prior = RowMatrix::Zero(1, 2);
  EXPECT_EQ(solve_map(kNobody, moments, 1e-6, prior, world),
            solve_map(kNobody, moments, 1e-6 * 10 * 10 * 10, prior, world));
  moments.inputs(0, 1) = moments.inputs(1, 0) = 2.0F;  // no rounding
  EXPECT_THROW((void)solve_map(kNobody, moments, 1e-6, prior, world), Error);
}

TEST(SolveHead, takes_the_same_ridge) {
  struct Point final : HeadData {
    Eigen::RowVector2f x{1.0F, 1.0F};  // and t = 1
    MapMoments moments() const override { return rounded_moments(); }
    void change_basis(const Eigen::MatrixXd& lower) override {
      x = lower.triangularView<Eigen::Lower>().solve(x.transpose().cast<double>()).transpose().cast<float>();
    }
    void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
      gradient += (head.row(0).dot(x) - 1.0F) * x;
    }
    double curvature() const override { return 1.0; }
  };
  const Comm world = MpiSession::world();
  const auto solved = [&](double ridge) {
    std::vector<std::unique_ptr<HeadData>> parts;
    parts.push_back(std::make_unique<Point>());
    return solve_head({.iterations = 3, .ridge = ridge}, kNobody, parts, rounded_moments(), RowMatrix::Zero(1, 2),
                      world);
  };
  EXPECT_EQ(solved(1e-6), solved(1e-6 * 10 * 10 * 10));
}

TEST(SolveHead, for_a_squared_loss_it_is_the_least_squares_solution) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(5, world);
  const MergeInput input = fleet.input({0, 1, 2, 3, 4});
  ParamVector body(fleet.symmetry().layout());
  RandomStream stream(4, Purpose::kTest);
  for (float& w : body.flat()) w = static_cast<float>(stream.normal());
  const MapMoments sums = label_moments(input, body, world);
  std::vector<std::unique_ptr<HeadData>> parts;
  for (const MergeRow& row : input.rows) parts.push_back(row.data->head_data(body));
  const RowMatrix start = RowMatrix::Constant(toy::kOutputs, toy::kHidden, 0.3F);
  const RowMatrix head = solve_head({.iterations = 3, .ridge = 1e-3}, input, parts, sums, start, world);
  EXPECT_TRUE(head.isApprox(solve_map(input, sums, 1e-3, start, world), 1e-3F));
}

TEST(Regression, permuted_copies_of_a_network_merge_to_its_function) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(4, world);
  ParamVector original(fleet.symmetry().layout());
  RandomStream stream(8, Purpose::kTest);
  for (float& w : original.flat()) w = static_cast<float>(stream.normal());
  fleet.become_permuted_copies(original);
  const auto merger = make_method(
      "regression", {{"merge.regression.body", Value("regression")}, {"merge.regression.head", Value("outputs")}});
  const ParamVector merged = merger->merge(fleet.input({0, 1, 2, 3}), world).merged;
  for (int i = 0; i < 100; ++i) {
    toy::Vector x(toy::kInputs);
    for (float& value : x) value = static_cast<float>(stream.normal());
    EXPECT_TRUE(toy::Network::output(merged, x).isApprox(toy::Network::output(original, x), 1e-3F));
  }
}

/// A robot's data under a loss that is not quadratic.
class Classifying final : public LocalData {
 public:
  explicit Classifying(LocalData& own) : own_(own) {}
  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    return own_.loss_gradient(at, batch, stream, gradient);
  }
  Score held_out_score(const ParamVector& at) override { return own_.held_out_score(at); }
  Score held_out_loss(const ParamVector& at) override { return own_.held_out_loss(at); }
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override {
    return own_.map_moments(features, targets, map);
  }
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override { return own_.head_data(body); }

 private:
  LocalData& own_;
};

TEST(Regression, the_loss_decides_how_hard_maps_are_drawn_unless_the_user_does) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(5, world);
  MergeInput input = fleet.input({0, 1, 2, 3, 4});
  const auto merged = [&](std::map<std::string, Value> settings) {
    settings.emplace("merge.regression.body", Value("regression"));
    const ParamVector weights = make_method("regression", settings)->merge(input, world).merged;
    return std::vector<float>(weights.flat().begin(), weights.flat().end());
  };
  const auto with = [&](double body, double head) {
    return merged({{"merge.regression.ridge", Value(body)}, {"merge.regression.head_ridge", Value(head)}});
  };
  EXPECT_EQ(merged({}), with(3e-2, 1e-2)) << "all imitate";
  std::vector<Classifying> others;
  others.reserve(input.rows.size());
  for (MergeRow& row : input.rows) {
    if (row.robot != 3) continue;
    row.data = &others.emplace_back(*row.data);
  }
  EXPECT_EQ(merged({}), with(1e-4, 1e-6)) << "one does not, on whatever rank it is";
  EXPECT_NE(with(3e-2, 1e-2), with(1e-4, 1e-6));
}

TEST(Regression, the_solved_head_fits_the_fleet_better_than_the_average_does) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(5, world);
  const MergeInput input = fleet.input({0, 1, 2, 3, 4});
  const ParamVector average = make_method("average", {})->merge(input, world).merged;
  const ParamVector solved = make_method("regression", {{"merge.regression.align", Value("none")},
                                                        {"merge.regression.body", Value("average")}})
                                 ->merge(input, world)
                                 .merged;
  EXPECT_LT(fleet_loss(input, solved, world), fleet_loss(input, average, world));
}

TEST(Regression, remembers_robots_that_are_away) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(4, world);
  double losses[2];
  for (const bool memory : {false, true}) {
    const auto merger = make_method("regression", {{"merge.regression.memory", Value(memory)}});
    const ParamVector first = merger->merge(fleet.input({0, 1}), world).merged;
    MergeInput second = fleet.input({2, 3});
    second.round = 2;
    second.previous = &first;
    const ParamVector merged = merger->merge(second, world).merged;
    losses[memory ? 1 : 0] = fleet_loss(fleet.input({0, 1}), merged, world);
  }
  EXPECT_LT(losses[1], losses[0]);
}

TEST(Regression, stands_robots_that_are_away_at_the_previous_consensus) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(4, world);  // robot i has 10 + i samples
  for (std::size_t row = 0; row < fleet.rows(); ++row) {
    std::fill(fleet.weights(row).flat().begin(), fleet.weights(row).flat().end(),
              0.1F * static_cast<float>(fleet.index(row)));
  }
  const auto merger = make_method("regression", {{"merge.regression.align", Value("none")},
                                                 {"merge.regression.body", Value("average")},
                                                 {"merge.regression.head", Value("outputs")},
                                                 {"merge.regression.head_ridge", Value(1e9)}});
  (void)merger->merge(fleet.input({0, 1}), world);
  ParamVector previous(fleet.symmetry().layout());
  std::fill(previous.flat().begin(), previous.flat().end(), -1.0F);
  MergeInput second = fleet.input({2, 3});
  second.round = 2;
  second.previous = &previous;
  const ParamVector merged = merger->merge(second, world).merged;
  for (const float w : merged.flat()) EXPECT_NEAR(w, (12 * 0.2 + 13 * 0.3 - (10 + 11)) / 46, 1e-5);
}

/// Robots with one body, and heads by least squares: what is remembered is all that there is to know.
TEST(Regression, one_robot_after_the_others_is_merged_as_with_them) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(4, world);
  for (std::size_t row = 0; row < fleet.rows(); ++row) {
    RandomStream common(9, Purpose::kTest);
    for (const std::size_t tensor : {std::size_t{0}, std::size_t{1}}) {
      for (float& w : fleet.weights(row).tensor(tensor)) w = static_cast<float>(common.normal());
    }
  }
  const auto merger = [] {
    return make_method("regression", {{"merge.regression.align", Value("none")},
                                      {"merge.regression.body", Value("average")},
                                      {"merge.regression.head", Value("labels")},
                                      {"merge.regression.head_ridge", Value(1e-6)}});
  };
  const ParamVector at_once = merger()->merge(fleet.input({0, 1, 2}), world).merged;
  const auto remembering = merger();
  const ParamVector first = remembering->merge(fleet.input({0, 1}), world).merged;
  MergeInput second = fleet.input({2});
  second.round = 2;
  second.previous = &first;
  const ParamVector merged = remembering->merge(second, world).merged;
  const RowMatrix head = second.maps.back().matrix(merged);
  EXPECT_TRUE(head.isApprox(second.maps.back().matrix(at_once), 1e-3F));
  EXPECT_FALSE(head.isApprox(second.maps.back().matrix(first), 1e-1F));
}

TEST(BestOf, is_no_worse_than_any_of_its_candidates) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(4, world);
  const MergeInput input = fleet.input({0, 1, 2, 3});
  const Value::List names{Value("average"), Value("git-rebasin"), Value("regression")};
  const double best = fleet_loss(
      input, make_method("best-of", {{"merge.best-of.candidates", Value(names)}})->merge(input, world).merged, world);
  for (const Value& name : names) {
    EXPECT_LE(best,
              fleet_loss(input, make_method(std::get<std::string>(name.data), {})->merge(input, world).merged, world));
  }
}

/// Robots near a network that knows its task, and a candidate whose last layer knows nothing: the average is kept.
TEST(BestOf, remembers_the_fleet_at_the_consensus_that_it_kept) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(4, world);
  AwakeRobot trained = toy::awake(std::make_unique<toy::ToyRobot>(fleet.symmetry().layout(), 0, 200, 0));
  trained.train(20000, [] { return false; });
  for (std::size_t row = 0; row < fleet.rows(); ++row) {
    RandomStream stream(6, Purpose::kTest, static_cast<std::uint64_t>(fleet.index(row)));
    fleet.weights(row) = trained.weights;
    for (float& w : fleet.weights(row).flat()) w += 0.05F * static_cast<float>(stream.normal());
  }
  const MergeInput input = fleet.input({0, 1});
  const auto with_regression = [](const std::string& method) {
    return make_method(method, {{"merge.best-of.candidates", Value(Value::List{Value("average"), Value("regression")})},
                                {"merge.regression.align", Value("none")},
                                {"merge.regression.body", Value("regression")},
                                {"merge.regression.head", Value("labels")},
                                {"merge.regression.head_ridge", Value(1e9)}});
  };
  const auto best = with_regression("best-of");
  const ParamVector merged = best->merge(input, world).merged;
  ASSERT_TRUE(std::ranges::equal(merged.flat(), make_method("average", {})->merge(input, world).merged.flat()));
  const auto told = with_regression("regression");
  told->remember(input, merged, world);
  for (const MergeRow& row : input.rows) {
    StateWriter kept;
    StateWriter expected;
    best->save(row.robot, kept);
    told->save(row.robot, expected);
    EXPECT_EQ(kept.bytes(), expected.bytes()) << row.robot;
  }
}

TEST(RegMean, with_one_set_of_features_for_all_is_their_least_squares) {
  // Robots that agree on everything but the last layer, and off-diagonal entries kept: W G = sum_i W_i G_i.
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(3, world);
  for (std::size_t row = 0; row < fleet.rows(); ++row) {
    RandomStream common(9, Purpose::kTest);
    for (const std::size_t tensor : {std::size_t{0}, std::size_t{1}}) {
      for (float& w : fleet.weights(row).tensor(tensor)) w = static_cast<float>(common.normal());
    }
  }
  const MergeInput input = fleet.input({0, 1, 2});
  const ParamVector merged =
      make_method("regmean", {{"merge.regmean.off_diagonal", Value(1.0)}})->merge(input, world).merged;
  const MapMoments sums = sum_moments(input, world, input.maps[1], [&](std::size_t i) -> std::optional<MapMoments> {
    return input.rows[i].data->map_moments(*input.rows[i].weights, *input.rows[i].weights, 1);
  });
  const DoubleMatrix product = input.maps[1].matrix(merged).cast<double>() * sums.inputs;
  EXPECT_TRUE(product.isApprox(sums.targets, 1e-2F));
}

TEST(Regression, says_so_when_the_robots_cannot_answer) {
  struct Silent : LocalData {
    double loss_gradient(const ParamVector&, int, RandomStream&, ParamVector&) override { return 0.0; }
    Score held_out_score(const ParamVector&) override { return {0.0, 1.0}; }
  };
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(3, world);
  Silent silent;
  MergeInput input = fleet.input({0, 1, 2});
  for (MergeRow& row : input.rows) row.data = &silent;
  EXPECT_THROW((void)make_method("regression", {})->merge(input, world), Error);
  input.maps = {};
  EXPECT_THROW((void)make_method("regression", {})->merge(input, world), Error);
}

}  // namespace
}  // namespace fleet
