// Laws that every merging method keeps, whatever the number of ranks.
#include "merge/merger.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "comm/placement.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_merge.hpp"
#include "merge/methods.hpp"
#include "merge/precision.hpp"
#include "merge/rounds_after.hpp"
#include "toy_fleet.hpp"
#include "values.hpp"

namespace fleet {
namespace {

using toy::ToyFleet;

/// Short alignments: laws do not need good ones.
std::unique_ptr<Merger> make_short(const MergerEntry& entry) {
  Settings settings;
  settings["merge.fleet-merge.epochs"].value = std::int64_t{3};
  settings["merge.fleet-merge.steps"].value = std::int64_t{15};
  settings["merge.fleet-merge.batch_size"].value = std::int64_t{8};
  settings["merge.sinkhorn-data.sweeps"].value = std::int64_t{1};
  settings["merge.sinkhorn-data.steps"].value = std::int64_t{8};
  SettingsReader reader(settings);
  return entry.make(reader);
}

class EveryMerger : public testing::TestWithParam<MergerEntry> {
 protected:
  void SetUp() override {
    if (GetParam().regime != Regime::kMerge) GTEST_SKIP() << "a reference line, which does not merge";
    if (!toy::suits(GetParam())) GTEST_SKIP() << "of linear networks; general_linear_test.cpp";
    merger_ = make_short(GetParam());
  }
  Comm world_ = MpiSession::world();
  std::unique_ptr<Merger> merger_;
};

TEST_P(EveryMerger, gives_the_same_bits_on_any_number_of_ranks) {
  ToyFleet spread(7, world_);
  const MergeOutcome apart = merger_->merge(spread.input({0, 2, 3, 6}), world_);
  const Comm alone = world_.split(world_.rank());  // every rank carries the whole fleet by itself
  ToyFleet together(7, alone);
  const MergeOutcome whole = merger_->merge(together.input({0, 2, 3, 6}), alone);
  EXPECT_EQ(values(apart.merged), values(whole.merged));
  EXPECT_EQ(apart.objective, whole.objective);
  for (std::size_t row = 0; row < apart.elements.size(); ++row) {
    EXPECT_EQ(apart.elements[row], whole.elements[static_cast<std::size_t>(spread.index(row))]);
  }
}

TEST_P(EveryMerger, remembers_the_same_on_any_number_of_ranks) {
  const Comm alone = world_.split(world_.rank());
  ToyFleet spread(7, world_);
  ToyFleet together(7, alone);
  const auto merge_twice = [&](ToyFleet& fleet, const Comm& comm) {
    const auto merger = make_short(GetParam());
    const ParamVector first = merger->merge(fleet.input({0, 2, 3, 6}), comm).merged;
    MergeInput second = fleet.input({1, 2, 5});
    second.round = 2;
    second.previous = &first;
    return values(merger->merge(second, comm).merged);
  };
  EXPECT_EQ(merge_twice(spread, world_), merge_twice(together, alone));
}

/// Three merges, the robots moving on between them, and all that can be seen of them.
std::vector<float> seen_of_three_merges(Merger& merger, const Comm& comm) {
  ToyFleet fleet(4, comm);
  std::vector<float> seen;
  std::optional<ParamVector> consensus;
  for (int round = 1; round <= 3; ++round) {
    MergeInput input = fleet.input({0, 1, 2, 3});
    input.round = round;
    input.previous = consensus ? &*consensus : nullptr;
    consensus = merger.merge(input, comm).merged;
    seen.insert(seen.end(), consensus->flat().begin(), consensus->flat().end());
    for (std::size_t row = 0; row < fleet.rows(); ++row) {
      ParamVector& weights = fleet.weights(row);
      const auto term = merger.local_term(fleet.index(row), &*consensus);
      ParamVector added(fleet.symmetry().layout());
      if (term != nullptr) term->add_to(weights, added);
      seen.insert(seen.end(), added.flat().begin(), added.flat().end());
      for (std::size_t w = 0; w < weights.flat().size(); ++w) {
        weights.flat()[w] = consensus->flat()[w] + 0.1F * static_cast<float>(fleet.index(row)) - added.flat()[w];
      }
    }
  }
  return seen;
}

TEST_P(EveryMerger, what_sweeps_wrap_it_in_changes_nothing_where_it_has_nothing_to_do) {
  const auto cases = {std::pair{"none", 0}, {"none", 1}, {"momentum", 0}, {"momentum", 1}, {"adam", 0}};
  for (const auto& [server, after] : cases) {  // rounds after the last merge leave those before as they are
    if (std::string_view(server) != "none" && GetParam().name != "average") continue;
    Settings settings;
    settings["merge.rounds_after"].value = std::int64_t{after};
    settings["merge.average.server"].value = std::string(server);
    settings["merge.average.proximal"].value = 0.1;
    SettingsReader reader(settings);
    int rounds = 0;
    const std::unique_ptr<Merger> wrapped = make_merger(GetParam(), reader, rounds);
    const std::unique_ptr<Merger> bare = GetParam().make(reader);
    EXPECT_EQ(seen_of_three_merges(*wrapped, world_), seen_of_three_merges(*bare, world_)) << server << ' ' << after;
  }
}

TEST(OneRobot, gives_everybody_its_weights_or_those_of_the_next_who_takes_part) {
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  ToyFleet fleet(5, world);
  ToyFleet all(5, alone);
  for (const auto& [asked, given] : {std::pair{1, 1}, std::pair{2, 3}, std::pair{4, 1}, std::pair{99, 1}}) {
    const auto merger = make_method("one-robot", {{"merge.one-robot.robot", Value(std::int64_t{asked})}});
    const ParamVector merged = merger->merge(fleet.input({1, 3}), world).merged;
    EXPECT_EQ(values(merged), values(all.weights(static_cast<std::size_t>(given)))) << asked;
  }
}

TEST_P(EveryMerger, of_rounded_weights_gives_the_same_bits_on_any_number_of_ranks) {
  const Comm alone = world_.split(world_.rank());
  ToyFleet spread(7, world_);
  ToyFleet together(7, alone);
  const ParamVector nothing(spread.symmetry().layout());
  const auto merge_twice = [&](ToyFleet& fleet, const Comm& comm) {
    const auto merger = with_precision(make_short(GetParam()), Precision::kInt8);
    MergeInput first = fleet.input({0, 2, 3, 6});
    first.center = &nothing;
    const ParamVector merged = merger->merge(first, comm).merged;
    MergeInput second = fleet.input({1, 2, 6});
    second.round = 2;
    second.previous = second.center = &merged;
    return values(merger->merge(second, comm).merged);
  };
  EXPECT_EQ(merge_twice(spread, world_), merge_twice(together, alone));
}

TEST_P(EveryMerger, following_an_alignment_changes_nothing_and_gives_a_value_per_epoch) {
  ToyFleet fleet(4, world_);
  MergeInput input = fleet.input({0, 1, 3});
  const MergeOutcome alone = merger_->merge(input, world_);
  EXPECT_TRUE(alone.series.empty());
  input.wants_series = true;
  const MergeOutcome followed = make_short(GetParam())->merge(input, world_);
  EXPECT_EQ(values(followed.merged), values(alone.merged));
  for (const auto& [name, series] : followed.series) {
    EXPECT_EQ(series.size(), followed.objective.size()) << name;
    EXPECT_GE(*std::min_element(series.begin(), series.end()), 0.0) << name;
  }
}

TEST(EveryAlignment, is_followed) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  MergeInput input = fleet.input({0, 1, 3});
  input.wants_series = true;
  const auto series_of = [&](std::string_view method, std::string_view match) {
    Settings settings;
    settings["merge.git-rebasin.match"].value = std::string(match);
    SettingsReader reader(settings);
    return find_merger(method).make(reader)->merge(input, world).series;
  };
  for (const auto& [method, match, relaxes] :
       {std::tuple{"git-rebasin", "weights", false}, std::tuple{"git-rebasin", "activations", false},
        std::tuple{"sinkhorn-data", "weights", true}, std::tuple{"fleet-merge", "weights", true}}) {
    const AlignmentSeries series = series_of(method, match);
    ASSERT_TRUE(series.contains("distance") && series.contains("changes")) << method;
    EXPECT_EQ(series.contains("doubly stochastic"), relaxes) << method;
    EXPECT_EQ(series.at("changes").front(), 0.0) << method << " starts from the identity";
    EXPECT_LT(series.at("distance").back(), series.at("distance").front()) << method;
  }
}

TEST_P(EveryMerger, one_robot_merges_to_itself) {
  ToyFleet fleet(1, world_);
  const MergeOutcome outcome = merger_->merge(fleet.input({0}), world_);
  if (fleet.rows() == 1) {
    EXPECT_EQ(values(outcome.merged), values(fleet.weights(0)));
  }
}

TEST_P(EveryMerger, those_who_do_not_take_part_do_not_matter) {
  ToyFleet fleet(4, world_);
  const std::vector<float> before = values(merger_->merge(fleet.input({1, 3}), world_).merged);
  for (std::size_t row = 0; row < fleet.rows(); ++row) {
    if (fleet.index(row) % 2 == 0) std::fill(fleet.weights(row).flat().begin(), fleet.weights(row).flat().end(), NAN);
  }
  EXPECT_EQ(values(merger_->merge(fleet.input({1, 3}), world_).merged), before);
}

TEST_P(EveryMerger, moves_no_more_than_it_says) {
  if (world_.size() == 1) GTEST_SKIP() << "nothing crosses ranks";
  // Bytes through the busiest rank that a robot more brings along. Numbers a robot sends beside models are few: scores
  // and sums of squares.
  const auto bytes = [&](int robots) {
    ToyFleet fleet(robots, world_);
    const std::uint64_t before = world_.bytes_moved();
    (void)make_short(GetParam())->merge(fleet.input(everyone(robots)), world_);
    return world_.max(static_cast<double>(world_.bytes_moved() - before));
  };
  const double a_robot_more = (bytes(48) - bytes(16)) / 32.0;
  const double model = 4.0 * static_cast<double>(toy::symmetry().layout()->size());
  const Exchange said = merger_->needs().exchange;
  if (said == Exchange::kSums) {
    EXPECT_LT(a_robot_more, model);
  } else if (said == Exchange::kAllModels) {
    EXPECT_GE(a_robot_more, model);
  }
}

INSTANTIATE_TEST_SUITE_P(Table, EveryMerger, testing::ValuesIn(merger_table().begin(), merger_table().end()),
                         [](const auto& tested) {
                           std::string name(tested.param.name);
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Average, is_weighted_by_samples_unless_told_otherwise) {
  const Comm world = MpiSession::world();
  for (const bool weighted : {true, false}) {
    ToyFleet fleet(3, world);
    for (std::size_t row = 0; row < fleet.rows(); ++row) {
      std::fill(fleet.weights(row).flat().begin(), fleet.weights(row).flat().end(),
                static_cast<float>(fleet.index(row)));
    }
    Settings settings;
    settings["merge.average.weighted"].value = weighted;
    SettingsReader reader(settings);
    const MergeOutcome outcome = find_merger("average").make(reader)->merge(fleet.input({0, 1, 2}), world);
    // Robots have 10, 11 and 12 samples.
    EXPECT_FLOAT_EQ(outcome.merged.flat()[0], weighted ? (11.0F + 24.0F) / 33.0F : 1.0F);
  }
}

/// A trained network and a permuted copy of it, one robot each, merged.
struct CopyMerge {
  double
      furthest;   ///< the merged network's outputs from the original's on fresh points, relative to the largest output
  double merged;  ///< loss on fresh points, as a multiple of the original's
  double averaged;  ///< the same of plain averaging
};

/// `draw` names the permutation.
CopyMerge merge_with_permuted_copy(const FleetMergeOptions& options, int network, std::uint64_t draw,
                                   const Comm& world) {
  const SymmetrySpec symmetry = toy::symmetry();
  const auto make_robot = [&] {
    return toy::awake(std::make_unique<toy::ToyRobot>(symmetry.layout(), network, 200, 0));
  };
  std::array<AwakeRobot, 2> robots = {make_robot(), make_robot()};
  robots[0].train(20000, [] { return false; });
  const ParamVector original = robots[0].weights;
  RandomStream stream(draw, Purpose::kTest, static_cast<std::uint64_t>(network));
  robots[1].weights = symmetry.apply(symmetry.random(stream), original);

  MergeInput input{.symmetry = &symmetry, .participants = {0, 1}, .seed = 3, .round = 1};
  const Placement placement{.robots = 2, .ranks = world.size()};
  for (int i = placement.begin(world.rank()); i < placement.end(world.rank()); ++i) {
    const AwakeRobot& robot = robots[static_cast<std::size_t>(i)];
    input.rows.push_back({i, &robot.weights, 200.0, true, robot.robot.get()});
  }
  const ParamVector merged = make_fleet_merge(options)->merge(input, world).merged;
  Settings none;
  SettingsReader reader(none);
  const ParamVector mean = find_merger("average").make(reader)->merge(input, world).merged;

  toy::ToyRobot fresh(symmetry.layout(), 100 + network, 500, 0);  // points that no alignment has seen
  const double own = fresh.held_out_score(original).sum;
  CopyMerge result{.furthest = 0.0,
                   .merged = fresh.held_out_score(merged).sum / own,
                   .averaged = fresh.held_out_score(mean).sum / own};
  float largest = 0.0F;
  float furthest = 0.0F;
  for (int i = 0; i < 500; ++i) {
    toy::Vector x(toy::kInputs);
    for (float& value : x) value = static_cast<float>(stream.normal());
    const toy::Vector expected = toy::Network::output(original, x);
    largest = std::max(largest, expected.cwiseAbs().maxCoeff());
    furthest = std::max(furthest, (toy::Network::output(merged, x) - expected).cwiseAbs().maxCoeff());
  }
  result.furthest = static_cast<double>(furthest / largest);
  return result;
}

TEST(FleetMerge, a_network_and_its_permuted_copy_merge_to_the_network) {
  const Comm world = MpiSession::world();
  for (int network = 0; network < 4; ++network) {
    for (const std::uint64_t draw : {9U, 10U}) {
      FleetMergeOptions options{.start = Alignment::kGitRebasin, .start_scale = 3.0};
      // Given all its steps it may find a mixture that fits the robots' points better than the network itself.
      EXPECT_LT(merge_with_permuted_copy(options, network, draw, world).merged, 1.01) << network;
      options.learning_rate = 1e-9;
      EXPECT_LT(merge_with_permuted_copy(options, network, draw, world).furthest, 1e-5) << network;
    }
  }
}

TEST(FleetMerge, from_the_identity_data_alone_may_find_the_permutation) {
  // Gradient alignment has local optima, which is why the law above starts from matched weights.
  const Comm world = MpiSession::world();
  int found = 0;
  for (int network = 0; network < 16; ++network) {
    const CopyMerge losses = merge_with_permuted_copy({.epochs = 40, .steps = 60}, network, 9, world);
    EXPECT_LE(losses.merged, (1.0 + 1e-6) * losses.averaged) << network;
    found += losses.furthest < 1e-5 ? 1 : 0;
  }
  EXPECT_GE(found, 4);  // of 16: 6, 4 and 4 with OpenBLAS's kernels for Prescott, Haswell, SkylakeX; by chance none
}

TEST(FleetMerge, keeping_the_best_never_scores_below_the_average_it_starts_from) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const auto merger = make_fleet_merge({.epochs = 4, .steps = 10, .batch_size = 8});
  const MergeOutcome outcome = merger->merge(fleet.input(everyone(4)), world);
  ASSERT_EQ(outcome.objective.size(), 5U);
  const double kept = fleet_score(fleet.input(everyone(4)), outcome.merged, world);
  EXPECT_NEAR(kept, *std::max_element(outcome.objective.begin(), outcome.objective.end()), 1e-9);
  EXPECT_GE(kept, outcome.objective.front() - 1e-9);
}

TEST(FleetMerge, from_git_rebasin_the_first_candidate_is_the_merge_of_git_rebasin) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(5, world);
  const MergeInput input = fleet.input(everyone(5));
  Settings none;
  SettingsReader reader(none);
  const ParamVector matched = find_merger("git-rebasin").make(reader)->merge(input, world).merged;
  FleetMergeOptions options{.start = Alignment::kGitRebasin, .epochs = 4, .steps = 10, .batch_size = 8};
  options.start_scale = 3.0;
  const MergeOutcome outcome = make_fleet_merge(options)->merge(input, world);
  EXPECT_EQ(outcome.objective.front(), fleet_score(input, matched, world));
  EXPECT_GE(fleet_score(input, outcome.merged, world), outcome.objective.front());
}

TEST(FleetMerge, the_merged_weights_are_the_mean_of_the_permuted_robots) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(3, world);
  const auto merger =
      make_fleet_merge({.epochs = 3, .steps = 20, .batch_size = 8, .keep_best = false, .weighted = false});
  const MergeOutcome outcome = merger->merge(fleet.input(everyone(3)), world);
  std::vector<ParamVector> moved;
  std::vector<Comm::Term> terms;
  for (std::size_t row = 0; row < fleet.rows(); ++row)
    moved.push_back(fleet.symmetry().apply(outcome.elements[row], fleet.weights(row)));
  for (const ParamVector& row : moved) terms.push_back({row.flat(), 1.0});
  ParamVector mean(fleet.symmetry().layout());
  world.ordered_sum(terms, mean.flat(), 1.0 / 3.0);
  EXPECT_EQ(values(mean), values(outcome.merged));
}

TEST(FleetMerge, every_variant_gives_the_same_bits_on_any_number_of_ranks) {
  using Options = FleetMergeOptions;
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  for (const auto& [parameterization, projection] :
       {std::pair{Options::Parameterization::kSinkhorn, Options::Projection::kHard},
        std::pair{Options::Parameterization::kSinkhorn, Options::Projection::kSoft},
        std::pair{Options::Parameterization::kLiteral, Options::Projection::kHard}}) {
    for (const auto point : {Options::Point::kInterpolation, Options::Point::kAverage, Options::Point::kSimplex}) {
      const FleetMergeOptions options{.parameterization = parameterization,
                                      .point = point,
                                      .projection = projection,
                                      .epochs = 3,
                                      .steps = 10,
                                      .batch_size = 8,
                                      .learning_rate = 0.5,
                                      .subset = 0.5,
                                      .keep_best = false};
      ToyFleet spread(5, world);
      ToyFleet together(5, alone);
      const MergeOutcome apart = make_fleet_merge(options)->merge(spread.input(everyone(5)), world);
      EXPECT_EQ(values(apart.merged),
                values(make_fleet_merge(options)->merge(together.input(everyone(5)), alone).merged));
    }
  }
}

/// With P even, 1/d everywhere, all units of the average are alike: nothing that hard permutations can make.
TEST(FleetMerge, a_soft_projection_averages_mixtures_of_units) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(3, world);
  FleetMergeOptions options{.projection = FleetMergeOptions::Projection::kSoft,
                            .epochs = 1,
                            .steps = 1,
                            .batch_size = 8,
                            .learning_rate = 1e-9,
                            .start_scale = 1e-9,
                            .keep_best = false};
  const ParamVector merged = make_fleet_merge(options)->merge(fleet.input(everyone(3)), world).merged;
  const ConstMatrixView first(merged.tensor(0).data(), toy::kHidden, toy::kInputs);
  for (Eigen::Index unit = 1; unit < first.rows(); ++unit) {
    EXPECT_LT((first.row(unit) - first.row(0)).cwiseAbs().maxCoeff(), 1e-5F);
  }
}

TEST(FleetMerge, with_too_small_a_literal_step_it_stays_at_the_average) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  Settings none;
  SettingsReader reader(none);
  const auto average = find_merger("average").make(reader);
  FleetMergeOptions options{.parameterization = FleetMergeOptions::Parameterization::kLiteral,
                            .epochs = 2,
                            .steps = 5,
                            .batch_size = 8,
                            .learning_rate = 1e-6,
                            .keep_best = false};
  const MergeInput input = fleet.input(everyone(4));
  const std::vector<float> mean = values(average->merge(input, world).merged);
  EXPECT_EQ(values(make_fleet_merge(options)->merge(input, world).merged), mean);
  options.learning_rate = 5.0;
  EXPECT_NE(values(make_fleet_merge(options)->merge(input, world).merged), mean);
}

TEST(Fisher, every_weight_comes_from_the_robot_whose_loss_depends_on_it) {
  struct HalfBlind : LocalData {
    explicit HalfBlind(bool first_half) : sees_first_half(first_half) {}
    double loss_gradient(const ParamVector&, int, RandomStream&, ParamVector& gradient) override {
      const std::size_t half = gradient.flat().size() / 2;
      for (std::size_t w = 0; w < gradient.flat().size(); ++w) {
        gradient.flat()[w] = (w < half) == sees_first_half ? 3.0F : 0.0F;
      }
      return 0.0;
    }
    Score held_out_score(const ParamVector&) override { return {0.0, 1.0}; }
    bool sees_first_half;
  };
  const Comm world = MpiSession::world();
  ToyFleet fleet(2, world);
  HalfBlind first(true);
  HalfBlind second(false);
  MergeInput input = fleet.input({0, 1});
  for (std::size_t row = 0; row < input.rows.size(); ++row) {
    const bool is_first = input.rows[row].robot == 0;
    input.rows[row].data = is_first ? &first : &second;
    std::fill(fleet.weights(row).flat().begin(), fleet.weights(row).flat().end(), is_first ? 1.0F : 5.0F);
  }
  Settings none;
  SettingsReader reader(none);
  const std::vector<float> merged = values(find_merger("fisher").make(reader)->merge(input, world).merged);
  for (std::size_t w = 0; w < merged.size(); ++w) EXPECT_FLOAT_EQ(merged[w], w < merged.size() / 2 ? 1.0F : 5.0F);
}

TEST(Fisher, units_that_are_negated_weigh_as_much_as_they_did) {
  struct Steep : LocalData {
    double loss_gradient(const ParamVector&, int, RandomStream&, ParamVector& gradient) override {
      for (const std::size_t t : {0U, 1U}) std::ranges::fill(gradient.tensor(t), slopes.at(t));
      return 0.0;
    }
    Score held_out_score(const ParamVector&) override { return {0.0, 1.0}; }
    std::array<float, 2> slopes{};
  };
  auto layout = std::make_shared<ParamLayout>();
  layout->add("in", {6, 3});
  layout->add("out", {2, 6});
  const SymmetrySpec symmetry(layout, {{.name = "units", .size = 6, .kind = GroupKind::kSigned}},
                              {{.tensor = 0, .axis = 0, .group = 0}, {.tensor = 1, .axis = 1, .group = 0}});
  RandomStream stream(5, Purpose::kTest);
  std::array<ParamVector, 2> robots{ParamVector(layout), ParamVector(layout)};
  for (float& weight : robots[0].flat()) weight = static_cast<float>(stream.normal());
  robots[1] = robots[0];
  for (float& weight : robots[1].flat()) weight += 0.02F * static_cast<float>(stream.normal());
  ParamVector expected(layout);
  constexpr std::array<std::array<float, 2>, 2> kSlopes{{{3.0F, 1.0F}, {1.0F, 2.0F}}};  // squares add up to 174 and 66
  for (std::size_t w = 0; w < layout->size(); ++w) {
    const std::size_t tensor = w < 18 ? 0 : 1;
    const float first = kSlopes[0][tensor] * kSlopes[0][tensor] / 174.0F;
    const float second = kSlopes[1][tensor] * kSlopes[1][tensor] / 66.0F;
    expected.flat()[w] = (first * robots[0].flat()[w] + second * robots[1].flat()[w]) / (first + second);
  }
  const GroupElement element = symmetry.random(stream);
  ASSERT_TRUE(std::ranges::any_of(element[0], is_negated));
  robots[1] = symmetry.apply(element, robots[1]);

  const Comm world = MpiSession::world();
  const Placement placement{.robots = 2, .ranks = world.size()};
  std::array<Steep, 2> data;
  MergeInput input{.symmetry = &symmetry, .participants = {0, 1}};
  for (int robot = placement.begin(world.rank()); robot < placement.end(world.rank()); ++robot) {
    const auto i = static_cast<std::size_t>(robot);
    data[i].slopes = kSlopes[i];
    input.rows.push_back(
        {.robot = robot, .weights = &robots[i], .samples = 10.0, .participates = true, .data = &data[i]});
  }
  const auto merger = make_method("fisher", {{"merge.fisher.align", std::string("git-rebasin")}});
  const ParamVector merged = merger->merge(input, world).merged;
  // In whatever order and signs its units come.
  const auto unit = [](const ParamVector& of, Eigen::Index i) {
    Eigen::VectorXf weights(5);
    weights << ConstMatrixView(of.tensor(0).data(), 6, 3).row(i).transpose(),
        ConstMatrixView(of.tensor(1).data(), 2, 6).col(i);
    return weights;
  };
  for (Eigen::Index wanted = 0; wanted < 6; ++wanted) {
    float nearest = 1.0F;
    for (Eigen::Index found = 0; found < 6; ++found) {
      for (const float sign : {1.0F, -1.0F}) {
        nearest = std::min(nearest, (unit(expected, wanted) - sign * unit(merged, found)).cwiseAbs().maxCoeff());
      }
    }
    EXPECT_LT(nearest, 1e-5F) << wanted;
  }
}

TEST(Fisher, batches_are_as_large_as_asked_for_and_add_up_to_the_samples) {
  struct Counting : LocalData {
    double loss_gradient(const ParamVector&, int batch, RandomStream&, ParamVector& gradient) override {
      batches.push_back(batch);
      std::ranges::fill(gradient.flat(), 1.0F);
      return 0.0;
    }
    Score held_out_score(const ParamVector&) override { return {0.0, 1.0}; }
    std::vector<int> batches;
  };
  const Comm world = MpiSession::world();
  ToyFleet fleet(2, world);
  Counting counting;
  MergeInput input = fleet.input({0, 1});
  for (MergeRow& row : input.rows) row.data = &counting;
  const auto merger =
      make_method("fisher", {{"merge.fisher.samples", std::int64_t{10}}, {"merge.fisher.batch", std::int64_t{4}}});
  (void)merger->merge(input, world);
  ASSERT_EQ(counting.batches.size(), 3 * input.rows.size());
  for (std::size_t i = 0; i < counting.batches.size(); ++i) EXPECT_EQ(counting.batches[i], i % 3 < 2 ? 4 : 2);
}

TEST(FleetMerge, an_error_in_one_robots_data_reaches_every_rank) {
  struct Broken : LocalData {
    double loss_gradient(const ParamVector&, int, RandomStream&, ParamVector&) override {
      throw Error("sensor unplugged");
    }
    Score held_out_score(const ParamVector&) override { return {0.0, 1.0}; }
  };
  const Comm world = MpiSession::world();
  ToyFleet fleet(5, world);
  Broken broken;
  MergeInput input = fleet.input(everyone(5));
  for (MergeRow& row : input.rows) {
    if (row.robot == 3) row.data = &broken;
  }
  EXPECT_THROW((void)make_fleet_merge(FleetMergeOptions{.epochs = 1, .steps = 1})->merge(input, world), Error);
}

}  // namespace
}  // namespace fleet
