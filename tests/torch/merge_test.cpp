// The laws of merging on real networks of every kind: a network and its permuted copy merge to the network.
#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <functional>
#include <numeric>

#include "awake.hpp"
#include "merge/activation_matching.hpp"
#include "merge/fleet_moments.hpp"
#include "merge/head.hpp"
#include "merge/renewed_norms.hpp"
#include "merge/solved_head.hpp"
#include "merge/weight_matching.hpp"
#include "network_cases.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

/// Images of four classes, text in which each symbol leaves two to follow, or actions that follow from what is seen now
/// and what was seen before.
class EveryTrainedNetwork : public testing::TestWithParam<NetworkCase> {
 protected:
  void SetUp() override {
    SettingsReader reader(GetParam().settings);
    const NetworkShape& shape = GetParam().shape;
    const bool acts = shape.input == NetworkShape::Input::kSequence;
    const std::shared_ptr<Samples> samples = acts                                        ? demonstrations()
                                             : shape.input == NetworkShape::Input::kText ? texts()
                                                                                         : images();
    Shard all;
    for (std::size_t i = 0; i < kSamples; ++i) all.train.push_back(static_cast<std::int32_t>(i));
    workload_ =
        make_supervised_workload({.train = samples,
                                  .test = samples,
                                  .groups = {.name = "all", .samples = {all.train}},
                                  .objective = acts ? ObjectiveKind::kSquaredError : ObjectiveKind::kCrossEntropy,
                                  .shards = std::vector{all, all},
                                  .network = make_network(reader, shape),
                                  .options = {.batch_size = 25, .optimizer = {.learning_rate = 5e-3}}});
    for (int i = 0; i < 2; ++i) robots_.push_back(awake(*workload_, i));
    robots_[0]->train(100, [] { return false; });
    RandomStream draw(6, Purpose::kTest);
    element_ = workload_->symmetry().random(draw);
    robots_[1]->weights() = workload_->symmetry().apply(element_, robots_[0]->weights());
    input_ = {
        .symmetry = &workload_->symmetry(), .maps = workload_->maps(), .participants = {0, 1}, .seed = 1, .round = 1};
    for (int i = 0; i < 2; ++i) {
      Awake& robot = *robots_[static_cast<std::size_t>(i)];
      input_.rows.push_back({i, &robot.weights(), static_cast<double>(robot.samples()), true, &robot});
    }
  }
  std::shared_ptr<Samples> images() {
    const NetworkShape& shape = GetParam().shape;
    for (std::size_t i = 0; i < kSamples; ++i) {
      labels_.push_back(static_cast<std::uint8_t>(i % 4));
      for (int f = 0; f < shape.inputs; ++f) {
        pixels_.push_back(static_cast<std::uint8_t>((f % 4 == labels_.back() ? 120 : 0) + stream_.below(130)));
      }
    }
    return make_samples(LabelledBytes{
        .values = pixels_, .labels = labels_, .features = shape.inputs, .mean = {0.3F}, .deviation = {0.3F}});
  }
  std::shared_ptr<Samples> texts() {
    const NetworkShape& shape = GetParam().shape;
    symbols_.assign(1, 0);
    while (symbols_.size() < kSamples * static_cast<std::size_t>(shape.steps) + 1) {
      const std::uint64_t next = 3U * symbols_.back() + 1U + stream_.below(2);
      symbols_.push_back(static_cast<std::uint8_t>(next % static_cast<std::uint64_t>(shape.inputs)));
    }
    TextWindows windows{.symbols = symbols_, .starts = {}, .window = shape.steps};
    for (std::size_t i = 0; i < kSamples; ++i) windows.starts.push_back(static_cast<std::int64_t>(i) * shape.steps);
    return make_samples(std::move(windows));
  }
  std::shared_ptr<Samples> demonstrations() {
    const NetworkShape& shape = GetParam().shape;
    const auto rows = static_cast<Eigen::Index>(kSamples) + shape.steps;
    seen_ = RowMatrix::NullaryExpr(rows, shape.inputs, [&] { return static_cast<float>(stream_.normal()); });
    actions_.setZero(rows, shape.outputs);
    for (Eigen::Index t = 1; t < rows; ++t) {
      actions_.row(t) = 0.5F * (seen_.row(t) - seen_.row(t - 1)).head(shape.outputs);
    }
    return make_samples(Demonstrations{.actions = {actions_.data(), static_cast<std::size_t>(actions_.size())},
                                       .features = shape.inputs,
                                       .dimensions = shape.outputs,
                                       .window = shape.steps,
                                       .observe = [this](std::int32_t row, std::span<float> into) {
                                         std::copy_n(&seen_(row, 0), into.size(), into.begin());
                                       }});
  }
  double loss(const ParamVector& weights) {
    Score total;
    for (int part = 0; part < workload_->test_parts(); ++part) {
      const Score score = workload_->test_scores(weights, part).back();
      total.sum += score.sum;
      total.samples += score.samples;
    }
    return total.sum / total.samples;
  }
  MergeOutcome merge_outcome(const std::string& method, const Settings& settings) {
    SettingsReader reader(settings);
    return find_merger(method).make(reader)->merge(input_, MpiSession::world());
  }
  ParamVector merge(const std::string& method, const Settings& settings) {
    return merge_outcome(method, settings).merged;
  }

  static constexpr std::size_t kSamples = 300;
  std::vector<std::uint8_t> symbols_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::uint8_t> labels_;
  RowMatrix seen_;
  RowMatrix actions_;
  RandomStream stream_{5, Purpose::kTest};
  std::unique_ptr<Workload> workload_;
  std::vector<std::unique_ptr<Awake>> robots_;
  GroupElement element_;
  MergeInput input_;
};

TEST_P(EveryTrainedNetwork, training_has_taught_it_something) {
  ParamVector untrained = awake(*workload_, 0)->weights();
  EXPECT_LT(loss(robots_[0]->weights()), 0.95 * loss(untrained));
}

TEST_P(EveryTrainedNetwork, activation_matching_undoes_a_permutation) {
  input_.previous = &robots_[0]->weights();
  const std::vector<GroupElement> found = match_activations(input_, MpiSession::world());
  EXPECT_EQ(found[0], workload_->symmetry().identity());
  const ParamVector back = workload_->symmetry().apply(found[1], robots_[1]->weights());
  EXPECT_NEAR(loss(back), loss(robots_[0]->weights()), 1e-5);
  const ParamVector& original = robots_[0]->weights();
  double distance = 0.0;
  for (std::size_t i = 0; i < back.flat().size(); ++i) {
    distance = std::max(distance, static_cast<double>(std::abs(back.flat()[i] - original.flat()[i])));
  }
  EXPECT_LT(distance, 1e-6);
}

TEST_P(EveryTrainedNetwork, merging_with_a_permuted_copy_gives_back_its_loss) {
  const double own = loss(robots_[0]->weights());
  EXPECT_NEAR(loss(merge("git-rebasin", {{"merge.git-rebasin.match", text("activations")}})), own, 1e-4);
  // Outputs are regressed onto the network's own, so that the head has nothing to improve.
  const Settings outputs{{"merge.regression.align", text("activations")},
                         {"merge.regression.body", text("regression")},
                         {"merge.regression.head", text("outputs")}};
  EXPECT_NEAR(loss(merge("regression", outputs)), own, 0.02 * own);
  EXPECT_NEAR(loss(merge("regmean", {{"merge.regmean.align", text("activations")}})), own, 0.02 * own);
}

/// Along a random direction the gradient is the slope of the loss, and the factors of the curvature have the sizes that
/// the loss's second derivative in the outputs gives them.
TEST_P(EveryTrainedNetwork, its_curvature_is_that_of_its_loss) {
  const ParamVector& at = robots_[0]->weights();
  const Curvature curvature = robots_[0]->curvature(at, 3);
  EXPECT_EQ(curvature.samples, static_cast<double>(kSamples));
  ASSERT_EQ(curvature.maps.size(), input_.maps.size());
  for (std::size_t m = 0; m < input_.maps.size(); ++m) {
    const MapCurvature& map = curvature.maps[m];
    EXPECT_EQ(map.inputs, robots_[0]->map_moments(at, at, m).inputs) << input_.maps[m].name;
    EXPECT_EQ(map.outputs.rows(), input_.maps[m].outputs(at.layout())) << input_.maps[m].name;
    EXPECT_GT(map.outputs.trace(), 0.0) << input_.maps[m].name;
    EXPECT_TRUE(map.outputs.isApprox(map.outputs.transpose(), 1e-12)) << input_.maps[m].name;
  }
  const bool acts = GetParam().shape.input == NetworkShape::Input::kSequence;
  const double trace = curvature.maps.back().outputs.trace();
  if (acts) {
    EXPECT_NEAR(trace, 2.0 * kSamples, 1e-3 * kSamples) << "of the mean of K squares it is K (2 / K) a sample";
  } else {
    EXPECT_LT(trace, 2.0 * kSamples) << "of a softmax no more than 2 a sample";
  }

  RandomStream draw(11, Purpose::kTest);
  ParamVector ahead = at;
  ParamVector behind = at;
  double slope = 0.0;
  for (std::size_t t = 0; t < at.layout().tensors().size(); ++t) {
    const bool statistic = std::ranges::any_of(input_.maps, [t](const AffineMap& map) {
      return map.norm && (map.norm->mean == t || map.norm->variance == t);
    });
    for (std::size_t w = 0; !statistic && w < at.tensor(t).size(); ++w) {
      const auto step = static_cast<float>(2e-4 * draw.normal());
      ahead.tensor(t)[w] += step;
      behind.tensor(t)[w] -= step;
      slope += 2.0 * static_cast<double>(step) * static_cast<double>(curvature.gradient.tensor(t)[w]) / kSamples;
    }
  }
  EXPECT_NEAR(loss(ahead) - loss(behind), slope, 0.05 * std::abs(slope) + 2e-6);
}

/// In another basis, that of what the head then sees.
TEST_P(EveryTrainedNetwork, the_gradient_of_its_head_is_that_of_its_loss) {
  const ParamVector& at = robots_[0]->weights();
  const AffineMap& map = input_.maps.back();
  const RowMatrix head = map.matrix(at);
  const int rows = std::max(1, GetParam().shape.steps);  // of a sample, of which the loss is the mean
  const RowMatrix expected = static_cast<float>(rows) * map.matrix(robots_[0]->curvature(at, 3).gradient);
  const std::unique_ptr<HeadData> data = robots_[0]->head_data(at);
  RowMatrix gradient = RowMatrix::Zero(head.rows(), head.cols());
  data->add_gradient(head, gradient);
  EXPECT_TRUE(gradient.isApprox(expected, 1e-3F)) << gradient.norm() << " beside " << expected.norm();

  Eigen::MatrixXd lower = Eigen::MatrixXd::Zero(head.cols(), head.cols());
  RandomStream draw(12, Purpose::kTest);
  for (Eigen::Index i = 0; i < lower.rows(); ++i) {
    for (Eigen::Index j = 0; j < i; ++j) lower(i, j) = 0.1 * draw.normal();
    lower(i, i) = 1.0 + draw.uniform();
  }
  data->change_basis(lower);
  RowMatrix changed = RowMatrix::Zero(head.rows(), head.cols());
  data->add_gradient((head.cast<double>() * lower).cast<float>(), changed);
  const RowMatrix back = (changed.cast<double>() * lower.transpose()).cast<float>();
  EXPECT_TRUE(back.isApprox(gradient, 1e-2F)) << (back - gradient).norm();
}

/// Drawn hard to the first solution, so that the second is another.
TEST_P(EveryTrainedNetwork, sums_give_the_head_that_iterations_come_to) {
  const Comm world = MpiSession::world();
  const SolvedHeadOptions options{.ridge = 0.5};
  ParamVector merged = robots_[0]->weights();
  std::vector<std::unique_ptr<HeadData>> parts;
  for (Awake* robot : {robots_[0].get(), robots_[1].get()}) parts.push_back(robot->head_data(merged));
  if (!parts.front()->is_quadratic()) GTEST_SKIP() << "this loss takes iterations";
  const AffineMap& map = input_.maps.back();
  const MapMoments sums = sum_moments(input_, world, map, [&](std::size_t i) { return parts[i]->moments(); });
  const RowMatrix start =
      solve_map(input_, sums, options.ridge, RowMatrix::Zero(sums.targets.rows(), sums.targets.cols()), world);
  const RowMatrix expected = solve_head({.iterations = 50, .ridge = options.ridge}, input_, parts, sums, start, world);
  solve_last_map(options, input_, {}, merged, world);
  EXPECT_TRUE(map.matrix(merged).isApprox(expected, 1e-4F));
  EXPECT_FALSE(map.matrix(merged).isApprox(start, 1e-2F));
}

TEST_P(EveryTrainedNetwork, short_runs_lower_the_loss_and_leave_the_robot_as_it_is) {
  const ParamVector start = awake(*workload_, 0)->weights();
  const LocalSteps steps{.steps = 30, .before = 0, .total = 30, .learning_rate = 5e-3};
  const ParamVector before = robots_[0]->weights();
  const ParamVector once = robots_[0]->take_steps(start, steps, 4, nullptr);
  EXPECT_LT(loss(once), loss(start));
  EXPECT_TRUE(std::ranges::equal(robots_[0]->weights().flat(), before.flat()));
  EXPECT_TRUE(std::ranges::equal(robots_[0]->take_steps(start, steps, 4, nullptr).flat(), once.flat()));
  EXPECT_FALSE(std::ranges::equal(robots_[0]->take_steps(start, steps, 5, nullptr).flat(), once.flat()));
}

/// A term that undoes the loss's own gradient but for a pull to the start.
TEST_P(EveryTrainedNetwork, a_term_is_followed_as_the_loss_is) {
  struct Pull final : GradientTerm {
    explicit Pull(const ParamVector& to) : center(to) {}
    void add_to(const ParamVector& at, ParamVector& gradient) const override {
      for (std::size_t w = 0; w < gradient.flat().size(); ++w) {
        gradient.flat()[w] += 1e6F * (at.flat()[w] - center.flat()[w]);
      }
    }
    const ParamVector& center;
  };
  const ParamVector& start = robots_[0]->weights();
  const LocalSteps steps{.steps = 30, .before = 0, .total = 30, .learning_rate = 5e-3};
  const auto distance = [&](const GradientTerm* term) {
    const ParamVector reached = robots_[1]->take_steps(start, steps, 4, term);
    double sum = 0.0;
    for (std::size_t w = 0; w < start.flat().size(); ++w) {
      sum += std::abs(static_cast<double>(reached.flat()[w]) - static_cast<double>(start.flat()[w]));
    }
    return sum;
  };
  const Pull pull(start);
  EXPECT_LT(distance(&pull), 0.7 * distance(nullptr));
}

TEST_P(EveryTrainedNetwork, moments_count_everything_that_enters_a_map) {
  const NetworkShape& shape = GetParam().shape;
  const ParamVector& weights = robots_[0]->weights();
  for (std::size_t m = 0; m < input_.maps.size(); ++m) {
    const MapMoments first = robots_[0]->map_moments(weights, weights, m);
    const MapMoments again = robots_[0]->map_moments(weights, robots_[1]->weights(), m);
    EXPECT_EQ(first.samples, again.samples);
    EXPECT_EQ(first.inputs, again.inputs);
    const bool of_points = input_.maps[m].name.starts_with("points.");
    const int rows = (shape.steps > 0 ? shape.steps : 1) * (of_points ? shape.points : 1);
    EXPECT_TRUE((shape.steps == 0 && !of_points) || first.samples == static_cast<double>(kSamples) * rows)
        << input_.maps[m].name << ": " << first.samples;
    if (!input_.maps[m].has_constant()) continue;
    EXPECT_EQ(first.inputs.diagonal().tail<1>()(0), first.samples);
  }
}

/// Actions, returns and states enter a Decision Transformer by maps of their own.
TEST(DecisionTransformers, tell_apart_what_enters_each_map_that_sees_the_data) {
  const NetworkCase tested = decision_transformer();
  const NetworkShape& shape = tested.shape;
  constexpr int kRows = 60;
  RandomStream stream(7, Purpose::kTest);
  const auto draw = [&] { return static_cast<float>(stream.normal()); };
  const RowMatrix seen = RowMatrix::NullaryExpr(kRows, shape.inputs, draw);
  const RowMatrix actions = RowMatrix::NullaryExpr(kRows, shape.outputs, draw);
  const std::shared_ptr<Samples> samples =
      make_samples(Demonstrations{.actions = {actions.data(), static_cast<std::size_t>(actions.size())},
                                  .features = shape.inputs,
                                  .dimensions = shape.outputs,
                                  .window = shape.steps,
                                  .observe = [&](std::int32_t row, std::span<float> into) {
                                    std::copy_n(&seen(row, 0), into.size(), into.begin());
                                    into.back() = static_cast<float>(row % shape.longest);
                                  }});
  Shard all;
  for (int i = 0; i + shape.steps < kRows; ++i) all.train.push_back(i);
  SettingsReader reader(tested.settings);
  const std::unique_ptr<Workload> workload = make_supervised_workload({.train = samples,
                                                                       .test = samples,
                                                                       .objective = ObjectiveKind::kSquaredError,
                                                                       .shards = std::vector{all, all},
                                                                       .network = make_network(reader, shape),
                                                                       .options = {.batch_size = 8}});
  const auto one = awake(*workload, 0);
  const auto other = awake(*workload, 1);
  const ParamVector& at = one->weights();
  const std::span<const AffineMap> maps = workload->maps();
  std::vector<DoubleMatrix> forwards;
  for (std::size_t m = 0; m < maps.size(); ++m) {
    const MapMoments moments = one->map_moments(at, at, m);
    ASSERT_EQ(moments.inputs.rows(), maps[m].inputs(at.layout())) << maps[m].name;
    ASSERT_EQ(moments.targets.rows(), maps[m].outputs(at.layout())) << maps[m].name;
    forwards.push_back(moments.inputs);
  }
  EXPECT_EQ(std::ranges::count_if(maps, [](const AffineMap& map) { return map.sees_data; }), 3);
  for (std::size_t m = maps.size(); m-- > 0;) {
    EXPECT_EQ(other->map_moments(at, at, m).inputs, forwards[m]) << maps[m].name << ", asked in another order";
  }
}

TEST_P(EveryTrainedNetwork, heads_that_imitate_are_drawn_harder_than_those_that_classify) {
  const bool acts = GetParam().shape.input == NetworkShape::Input::kSequence;
  const ParamVector by_default = merge("regression", {});
  const auto drawn = [&](double ridge) {
    return merge("regression", {{"merge.regression.head_ridge", {Value(ridge), {}}}});
  };
  EXPECT_TRUE(std::ranges::equal(by_default.flat(), drawn(acts ? 1e-2 : 1e-6).flat()));
  EXPECT_FALSE(std::ranges::equal(by_default.flat(), drawn(1e-4).flat()));
}

/// A step of training moves running statistics a tenth of the way to the batch's own.
TEST_P(EveryTrainedNetwork, a_merged_normalisation_holds_the_statistics_of_what_enters_it) {
  const ParamVector merged = merge(
      "regression", {{"merge.regression.align", text("activations")}, {"merge.regression.body", text("regression")}});
  robots_[0]->weights() = merged;
  robots_[0]->train(1, [] { return false; });
  for (const AffineMap& map : input_.maps) {
    if (!map.norm) continue;
    const ParamVector& stepped = robots_[0]->weights();
    for (std::size_t unit = 0; unit < merged.tensor(map.norm->mean).size(); ++unit) {
      const float deviation = std::sqrt(merged.tensor(map.norm->variance)[unit] + BatchNorm::kEpsilon);
      const float moved = stepped.tensor(map.norm->mean)[unit] - merged.tensor(map.norm->mean)[unit];
      EXPECT_LT(std::abs(moved), 0.1F * deviation) << map.name;  // one deviation, of a mean over a batch of 25
      EXPECT_NEAR(stepped.tensor(map.norm->variance)[unit] / (deviation * deviation), 1.0F, 0.15F) << map.name;
    }
  }
}

/// Of networks without batch normalisation nothing changes. Else, behind the maps before it, each normalised map's
/// outputs have mean shift and variance scale^2 over all robots' data.
TEST_P(EveryTrainedNetwork, renewed_norms_are_those_of_the_merged_networks_own_outputs) {
  robots_[1]->train(20, [] { return false; });
  SettingsReader reader{Settings{}};
  const ParamVector plain = merge("average", {});
  const ParamVector merged =
      with_renewed_norms(find_merger("average").make(reader))->merge(input_, MpiSession::world()).merged;
  std::vector<std::size_t> statistics;
  for (std::size_t m = 0; m < input_.maps.size(); ++m) {
    const AffineMap& map = input_.maps[m];
    if (!map.norm) continue;
    statistics.insert(statistics.end(), {map.norm->mean, map.norm->variance});
    const MapMoments entering = robots_[0]->map_moments(merged, merged, m);  // both robots have all the data
    const OutputSums leaving = outputs_behind(entering.inputs, map, merged);
    for (Eigen::Index unit = 0; unit < leaving.sum.size(); ++unit) {
      const double mean = leaving.sum(unit) / leaving.rows;
      const double variance = leaving.squares(unit) / leaving.rows - mean * mean;
      const auto place = static_cast<std::size_t>(unit);
      EXPECT_NEAR(merged.tensor(map.norm->mean)[place], mean, 1e-4 * (1.0 + std::abs(mean))) << map.name;
      EXPECT_NEAR(merged.tensor(map.norm->variance)[place], variance, 1e-3 * (1e-3 + variance)) << map.name;
    }
  }
  for (std::size_t tensor = 0; tensor < merged.layout().tensors().size(); ++tensor) {
    const bool same = std::ranges::equal(merged.tensor(tensor), plain.tensor(tensor));
    EXPECT_EQ(same, std::ranges::find(statistics, tensor) == statistics.end())
        << merged.layout().tensors()[tensor].name;
  }
}

/// Coordinate descent may end in a local optimum where groups meet in many tensors, but it must not lose anything.
TEST_P(EveryTrainedNetwork, weight_matching_is_at_least_as_near_as_averaging) {
  const Comm world = MpiSession::world();
  const MatchedFleet matched = match_fleet(input_, world);
  EXPECT_LE(matched.objective.back(), matched.objective.front());
}

TEST_P(EveryTrainedNetwork, weight_matching_undoes_negations) {
  const ParamVector& original = robots_[0]->weights();
  robots_[1]->weights() = workload_->symmetry().apply(parts_of(element_).negations, original);
  const MatchedFleet matched = match_fleet(input_, MpiSession::world());
  double square = 0.0;
  for (const float w : original.flat()) square += static_cast<double>(w) * static_cast<double>(w);
  EXPECT_LT(matched.objective.back(), 1e-6 * square);
}

TEST_P(EveryTrainedNetwork, fleet_merge_averages_what_its_elements_make_of_the_robots) {
  robots_[1]->train(20, [] { return false; });  // no longer a copy
  const MergeOutcome outcome = merge_outcome("fleet-merge", {{"merge.fleet-merge.start", text("git-rebasin")},
                                                             {"merge.fleet-merge.epochs", number(2)},
                                                             {"merge.fleet-merge.steps", number(3)}});
  ASSERT_EQ(outcome.elements.size(), 2U);
  ParamVector mean(workload_->symmetry().layout());
  for (std::size_t i = 0; i < 2; ++i) {
    const ParamVector moved = workload_->symmetry().apply(outcome.elements[i], robots_[i]->weights());
    for (std::size_t w = 0; w < mean.flat().size(); ++w) mean.flat()[w] += 0.5F * moved.flat()[w];
  }
  for (std::size_t w = 0; w < mean.flat().size(); ++w) {
    EXPECT_NEAR(outcome.merged.flat()[w], mean.flat()[w], 1e-6F * (1.0F + std::abs(mean.flat()[w])));
  }
}

using EveryRecurrentFleet = EveryTrainedNetwork;

/// The second pass over a recurrent layer goes along the states that the first has led to.
TEST_P(EveryRecurrentFleet, each_pass_goes_along_the_states_of_the_last) {
  robots_[1]->train(40, [] { return false; });  // no longer a copy
  const auto recurrent =
      std::find_if(input_.maps.begin(), input_.maps.end(), [](const auto& map) { return map.recurrent; });
  const auto place = static_cast<std::size_t>(recurrent - input_.maps.begin());
  constexpr double kRidge = 1e-3;
  const auto merged_with = [&](int passes) {
    return merge("regression", {{"merge.regression.align", text("none")},
                                {"merge.regression.body", text("regression")},
                                {"merge.regression.ridge", Setting{Value(kRidge), {}}},
                                {"merge.regression.recurrent_passes", number(passes)}});
  };
  /// Least squares along the states of what `features` gives for each robot, drawn to the robots' mean.
  const auto fitted = [&](const std::function<ParamVector(std::size_t robot)>& features) {
    Eigen::MatrixXd inputs = Eigen::MatrixXd::Zero(0, 0);
    Eigen::MatrixXd targets;
    for (std::size_t i = 0; i < 2; ++i) {
      const MapMoments own = robots_[i]->map_moments(features(i), robots_[i]->weights(), place);
      inputs = i == 0 ? Eigen::MatrixXd(own.inputs) : inputs + own.inputs;
      targets = i == 0 ? Eigen::MatrixXd(own.targets) : targets + own.targets;
    }
    const double ridge = kRidge * inputs.trace() / static_cast<double>(inputs.rows());
    const RowMatrix mean = 0.5F * (recurrent->matrix(robots_[0]->weights()) + recurrent->matrix(robots_[1]->weights()));
    inputs.diagonal().array() += ridge;
    targets += ridge * mean.cast<double>();
    return RowMatrix(inputs.ldlt().solve(targets.transpose()).transpose().cast<float>());
  };
  const ParamVector once = merged_with(1);
  const ParamVector twice = merged_with(2);
  const RowMatrix first = recurrent->matrix(once);
  const RowMatrix second = recurrent->matrix(twice);
  const RowMatrix along_own = fitted([&](std::size_t robot) {
    ParamVector mixed = once;
    recurrent->assign(recurrent->matrix(robots_[robot]->weights()), mixed);
    return mixed;
  });
  const RowMatrix along_merged = fitted([&](std::size_t) { return once; });
  EXPECT_LT((first - along_own).norm(), 1e-2F * first.norm());
  EXPECT_LT((second - along_merged).norm(), 1e-2F * second.norm());
  EXPECT_GT((second - first).norm(), 3e-2F * first.norm());
}

using EveryNormalisedFleet = EveryTrainedNetwork;

/// RegMean scales moments to solve for a map, but not what the map's normalisation is told of its outputs.
TEST_P(EveryNormalisedFleet, a_normalisation_that_regmean_merges_shifts_to_the_mean_of_its_outputs) {
  const ParamVector merged = merge("regmean", {{"merge.regmean.align", text("activations")}});
  const ParamVector& original = robots_[0]->weights();
  for (std::size_t m = 0; m < input_.maps.size(); ++m) {
    const AffineMap& map = input_.maps[m];
    if (!map.norm) continue;
    const RowMatrix inputs = robots_[0]->map_moments(original, original, m).inputs.cast<float>();
    const RowMatrix matrix = map.matrix(merged);
    const float rows = inputs.bottomRightCorner<1, 1>()(0);
    const Eigen::VectorXf mean = (matrix * inputs).rightCols<1>() / rows;
    const Eigen::VectorXf square = (matrix * inputs).cwiseProduct(matrix).rowwise().sum() / rows;
    for (Eigen::Index unit = 0; unit < mean.size(); ++unit) {
      const auto place = static_cast<std::size_t>(unit);
      const float variance = square(unit) - mean(unit) * mean(unit);
      EXPECT_NEAR(merged.tensor(map.norm->shift)[place], mean(unit), 1e-3F * std::sqrt(square(unit))) << map.name;
      EXPECT_NEAR(merged.tensor(map.norm->variance)[place], variance, 1e-3F * square(unit)) << map.name;
    }
  }
}

TEST_P(EveryNormalisedFleet, every_map_of_the_midpoint_lies_halfway) {
  robots_[1]->train(40, [] { return false; });  // no longer a copy
  const auto body = [&](const char* name) {
    return merge("regression", {{"merge.regression.align", text("none")},
                                {"merge.regression.body", text(name)},
                                {"merge.regression.head", text("outputs")}});
  };
  const ParamVector average = body("average");
  const ParamVector regressed = body("regression");
  const ParamVector midpoint = body("midpoint");
  for (std::size_t m = 0; m + 1 < input_.maps.size(); ++m) {
    const AffineMap& map = input_.maps[m];
    const RowMatrix halfway = 0.5F * (map.matrix(average) + map.matrix(regressed));
    EXPECT_TRUE(map.matrix(midpoint).isApprox(halfway, 1e-4F)) << map.name;
  }
}

/// Two features that differ by a ten-thousandth, and an action that is their difference: what decides it is a hundred
/// millionth of the features' second moments, which single precision rounds away.
TEST(Regression, solves_a_head_along_directions_that_the_data_hardly_excite) {
  constexpr int kRows = 4000;
  RandomStream stream(9, Purpose::kTest);
  std::vector<float> actions(kRows);
  for (float& action : actions) action = static_cast<float>(stream.normal());
  const auto samples = make_samples(Demonstrations{
      .actions = actions, .features = 2, .dimensions = 1, .observe = [&](std::int32_t row, std::span<float> into) {
        into[0] = 1.0F;
        into[1] = 1.0F + 1e-4F * actions[static_cast<std::size_t>(row)];
      }});
  Shard all;
  all.train.resize(kRows);
  std::iota(all.train.begin(), all.train.end(), 0);
  const Settings hidden{{"model.hidden", widths({2})}};
  SettingsReader reader(hidden);
  const auto workload = make_supervised_workload({.train = samples,
                                                  .test = samples,
                                                  .groups = {.name = "all", .samples = {all.train}},
                                                  .objective = ObjectiveKind::kSquaredError,
                                                  .shards = std::vector{all, all},
                                                  .network = make_network(reader, {.inputs = 2, .outputs = 1})});
  MergeInput input{.symmetry = &workload->symmetry(), .maps = workload->maps(), .participants = {0, 1}};
  std::vector<std::unique_ptr<Awake>> robots;
  for (int i = 0; i < 2; ++i) {
    Awake& robot = *robots.emplace_back(awake(*workload, i));
    workload->maps().front().assign(RowMatrix::Identity(2, 3), robot.weights());
    input.rows.push_back({i, &robot.weights(), static_cast<double>(kRows), true, &robot});
  }
  const Settings settings{{"merge.regression.align", text("none")},
                          {"merge.regression.body", text("average")},
                          {"merge.regression.head_ridge", {Value(1e-12), {}}}};
  SettingsReader options(settings);
  const ParamVector merged = find_merger("regression").make(options)->merge(input, MpiSession::world()).merged;
  EXPECT_LT(workload->test_scores(merged, 0).back().sum / kRows, 1e-3);
}

INSTANTIATE_TEST_SUITE_P(Perceptrons, EveryTrainedNetwork, kPerceptrons, name_of);
INSTANTIATE_TEST_SUITE_P(Convolutional, EveryTrainedNetwork, kConvolutional, name_of);
INSTANTIATE_TEST_SUITE_P(Clouds, EveryTrainedNetwork, kClouds, name_of);
INSTANTIATE_TEST_SUITE_P(Recurrent, EveryTrainedNetwork, kRecurrent, name_of);
INSTANTIATE_TEST_SUITE_P(Transformers, EveryTrainedNetwork, kTransformers, name_of);
INSTANTIATE_TEST_SUITE_P(Recurrent, EveryRecurrentFleet, kRecurrent, name_of);
INSTANTIATE_TEST_SUITE_P(RecurrentPolicies, EveryTrainedNetwork, kRecurrentPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(TransformerPolicies, EveryTrainedNetwork, kTransformerPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(RecurrentPolicies, EveryRecurrentFleet, kRecurrentPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(Normalised, EveryNormalisedFleet,
                         testing::Values(mlp("mlp_batch_norm", {8, 6}, "relu", "batch"),
                                         cnn("cnn_batch_norm", {5}, "batch")),
                         name_of);

}  // namespace
}  // namespace fleet
