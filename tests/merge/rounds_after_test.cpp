// Short rounds after a merge: the same bits on any number of ranks, the fleet's own gradient, and what is absent.
#include "merge/rounds_after.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "merge/consensus.hpp"
#include "merge/precision.hpp"
#include "toy_fleet.hpp"
#include "values.hpp"

namespace fleet {
namespace {

using toy::ToyFleet;
using Kind = RoundsAfterOptions::Kind;

std::unique_ptr<Merger> average_with(const RoundsAfterOptions& options) {
  const Settings none;
  SettingsReader reader(none);
  return with_rounds_after(find_merger("average").make(reader), options);
}

ParamVector random_weights(const ToyFleet& fleet) {
  ParamVector weights(fleet.symmetry().layout());
  RandomStream stream(3, Purpose::kTest);
  for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
  return weights;
}

/// A merge and all rounds after it; in the rounds `participants` take part.
ParamVector merge_with_rounds(ToyFleet& fleet, const RoundsAfterOptions& options, const std::vector<int>& participants,
                              const Comm& comm, MergeCost* cost = nullptr) {
  const auto merger = average_with(options);
  ParamVector merged = merger->merge(fleet.input({0, 1, 2, 3}), comm).merged;
  for (int after = 1; after <= options.rounds; ++after) {
    MergeInput input = fleet.input(participants);
    input.round = 1 + after;
    input.after = after;
    input.previous = &merged;
    input.cost = cost;
    ParamVector next = merger->merge(input, comm).merged;
    merged = std::move(next);
  }
  return merged;
}

TEST(RoundsAfter, give_the_same_bits_on_any_number_of_ranks) {
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  for (const Kind kind : {Kind::kPlain, Kind::kConsolidated}) {
    for (const NearBody body : {NearBody::kAverage, NearBody::kRegression}) {
      ToyFleet spread(4, world);
      ToyFleet together(4, alone);
      const RoundsAfterOptions options{.rounds = 2, .kind = kind, .steps = 12, .body = body};
      EXPECT_EQ(values(merge_with_rounds(spread, options, {0, 2, 3}, world)),
                values(merge_with_rounds(together, options, {0, 2, 3}, alone)));
    }
  }
}

TEST(RoundsAfter, each_lowers_the_fleets_loss) {
  const Comm world = MpiSession::world();
  for (const Kind kind : {Kind::kPlain, Kind::kConsolidated}) {
    ToyFleet fleet(4, world);
    const MergeInput all = fleet.input({0, 1, 2, 3});
    double before = 1e9;
    for (const int rounds : {0, 1, 4}) {
      const RoundsAfterOptions options{.rounds = rounds, .kind = kind, .steps = 60, .learning_rate = 1e-2};
      const double loss = fleet_loss(all, merge_with_rounds(fleet, options, {0, 1, 2, 3}, world), world);
      EXPECT_LT(loss, before) << rounds;
      before = loss;
    }
  }
}

/// The gradients of the last layer, from which it is solved, are of single precision in any case: one iteration.
TEST(RoundsAfter, send_the_gradient_of_the_loss_in_their_own_precision) {
  const Comm world = MpiSession::world();
  const auto sent = [&](Precision precision) {
    ToyFleet fleet(4, world);
    const RoundsAfterOptions options{
        .rounds = 1, .kind = Kind::kConsolidated, .steps = 5, .precision = precision, .head_iterations = 1};
    MergeCost cost;
    const ParamVector merged = merge_with_rounds(fleet, options, {0, 1, 3}, world, &cost);
    return std::pair(cost.of(Cargo::kGradients).sent, values(merged));
  };
  const ToyFleet fleet(4, world);
  const std::vector<AffineMap> maps = toy::maps();
  const ParamLayout& layout = *fleet.symmetry().layout();
  const auto [single, exact] = sent(Precision::kFloat32);
  for (const Precision precision : {Precision::kBfloat16, Precision::kInt8}) {
    const auto [fewer, rounded] = sent(precision);
    EXPECT_EQ(single - fewer, 3 * (sizeof(float) * layout.size() - weight_bytes(precision, layout, maps)));
    EXPECT_NE(rounded, exact);
  }
}

TEST(RoundsAfter, those_who_do_not_take_part_are_asked_nothing) {
  struct Silent final : LocalData {
    double loss_gradient(const ParamVector&, int, RandomStream&, ParamVector&) override { throw Error("asked"); }
    Score held_out_score(const ParamVector&) override { throw Error("asked"); }
  };
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  Silent silent;
  const ParamVector start = random_weights(fleet);
  for (const Kind kind : {Kind::kPlain, Kind::kConsolidated}) {
    MergeInput input = fleet.input({1, 3});
    input.after = 1;
    input.previous = &start;
    for (MergeRow& row : input.rows) {
      if (!row.participates) row.data = &silent;
    }
    EXPECT_NO_THROW((void)average_with({.rounds = 1, .kind = kind, .steps = 3})->merge(input, world));
  }
}

/// The learning rate comes down along one curve over all rounds: each goes on where the last one ended.
/// A robot's data that note which steps are asked for.
struct Noting final : LocalData {
  Noting(LocalData& data, bool imitates) : inner(data), quadratic(imitates) {}
  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    return inner.loss_gradient(at, batch, stream, gradient);
  }
  Score held_out_score(const ParamVector& at) override { return inner.held_out_score(at); }
  bool is_quadratic() const override { return quadratic; }
  MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map) override {
    return inner.map_moments(features, targets, map);
  }
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override { return inner.head_data(body); }
  ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                         const GradientTerm* term) override {
    noted = steps;
    return inner.take_steps(start, steps, draw, term);
  }
  LocalData& inner;
  bool quadratic;
  LocalSteps noted;
};

struct NotedRound {
  LocalSteps steps;  ///< of the first robot of this rank
  std::vector<float> merged;
};

/// Round `after` of a fleet of robots on every rank.
NotedRound noted_round(const RoundsAfterOptions& options, int after, bool imitates, const Comm& world) {
  const int robots = std::max(4, static_cast<int>(world.size()));
  ToyFleet fleet(robots, world);
  const ParamVector start = random_weights(fleet);
  std::vector<int> everybody(static_cast<std::size_t>(robots));
  std::iota(everybody.begin(), everybody.end(), 0);
  MergeInput input = fleet.input(everybody);
  input.after = after;
  input.previous = &start;
  std::vector<std::unique_ptr<Noting>> notes;
  for (MergeRow& row : input.rows) row.data = notes.emplace_back(std::make_unique<Noting>(*row.data, imitates)).get();
  const ParamVector merged = average_with(options)->merge(input, world).merged;
  return {.steps = notes.at(0)->noted, .merged = values(merged)};
}

LocalSteps steps_of_round(const RoundsAfterOptions& options, int after, bool imitates) {
  return noted_round(options, after, imitates, MpiSession::world()).steps;
}

TEST(RoundsAfter, go_on_along_one_schedule) {
  constexpr int kRounds = 3;
  constexpr int kSteps = 7;
  for (int after = 1; after <= kRounds; ++after) {
    const LocalSteps noted = steps_of_round({.rounds = kRounds, .kind = Kind::kPlain, .steps = kSteps}, after, false);
    EXPECT_EQ(noted.steps, kSteps);
    EXPECT_EQ(noted.before, (after - 1) * kSteps);
    EXPECT_EQ(noted.total, kRounds * kSteps);
  }
}

TEST(RoundsAfter, are_longer_and_gentler_where_robots_imitate) {
  const LocalSteps classifying = steps_of_round({.rounds = 2, .kind = Kind::kPlain}, 2, false);
  const LocalSteps imitating = steps_of_round({.rounds = 2, .kind = Kind::kPlain}, 2, true);
  EXPECT_EQ(classifying.steps, 100);
  EXPECT_EQ(imitating.steps, 300);
  EXPECT_EQ(imitating.before, 300);
  EXPECT_EQ(imitating.total, 600);
  EXPECT_LT(imitating.learning_rate, classifying.learning_rate);
}

TEST(RoundsAfter, regress_layers_where_robots_imitate_and_average_them_where_they_classify) {
  const Comm world = MpiSession::world();
  for (const bool imitates : {false, true}) {
    const auto merged_by = [&](NearBody body) {
      return noted_round({.rounds = 1, .kind = Kind::kPlain, .steps = 20, .body = body}, 1, imitates, world).merged;
    };
    const auto average = merged_by(NearBody::kAverage);
    const auto regressed = merged_by(NearBody::kRegression);
    EXPECT_EQ(merged_by(NearBody::kAuto), imitates ? regressed : average);
    EXPECT_NE(average, regressed);
  }
}

TEST(RoundsAfter, the_robots_own_weights_do_not_matter) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  ToyFleet other(4, world);
  for (std::size_t row = 0; row < other.rows(); ++row) {
    std::fill(other.weights(row).flat().begin(), other.weights(row).flat().end(), 7.0F);
  }
  const ParamVector start = random_weights(fleet);
  const auto round_of = [&](ToyFleet& of) {
    MergeInput input = of.input({0, 1, 2, 3});
    input.after = 1;
    input.previous = &start;
    return values(average_with({.rounds = 1, .steps = 5})->merge(input, world).merged);
  };
  EXPECT_EQ(round_of(fleet), round_of(other));
}

/// Looks at the term that a robot's steps are to minimise besides.
class Onlooker final : public LocalData {
 public:
  Onlooker(toy::ToyRobot& own, const ParamVector& at) : own_(own), at_(at) {}
  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    return own_.loss_gradient(at, batch, stream, gradient);
  }
  Score held_out_score(const ParamVector& at) override { return own_.held_out_score(at); }
  std::unique_ptr<HeadData> head_data(const ParamVector& body) override { return own_.head_data(body); }
  bool is_quadratic() const override { return true; }
  Curvature curvature(const ParamVector& at, std::uint64_t draw) override { return own_.curvature(at, draw); }
  ParamVector take_steps(const ParamVector& start, const LocalSteps&, std::uint64_t,
                         const GradientTerm* term) override {
    ParamVector gradient = own_.curvature(at_, 0).gradient;
    for (float& g : gradient.flat()) g /= static_cast<float>(own_.samples());
    term->add_to(at_, gradient);
    seen = values(gradient);
    return start;
  }
  std::vector<float> seen;

 private:
  toy::ToyRobot& own_;
  const ParamVector& at_;
};

/// In the weights of the last layer the loss is its own quadratic model, so that every robot follows the gradient of
/// the whole fleet, wherever it is.
TEST(ConsolidatedRounds, follow_the_fleets_gradient_where_the_loss_is_quadratic) {
  const Comm world = MpiSession::world();
  const auto layout = toy::symmetry().layout();
  const SymmetrySpec symmetry = toy::symmetry();
  const std::vector<AffineMap> maps = toy::maps();
  std::vector<std::unique_ptr<toy::ToyRobot>> everyone;  // on every rank
  for (int i = 0; i < 3; ++i) everyone.push_back(std::make_unique<toy::ToyRobot>(layout, i, 10 + 5 * i, i));
  ParamVector start(layout);
  RandomStream stream(3, Purpose::kTest);
  for (float& w : start.flat()) w = static_cast<float>(stream.normal());
  ParamVector elsewhere = start;
  for (float& w : elsewhere.tensor(2)) w += static_cast<float>(stream.normal());

  MergeInput input{
      .symmetry = &symmetry, .maps = maps, .participants = {0, 1, 2}, .round = 2, .previous = &start, .after = 1};
  std::vector<std::unique_ptr<Onlooker>> onlookers;
  const Placement placement{.robots = 3, .ranks = world.size()};
  for (int i = placement.begin(world.rank()); i < placement.end(world.rank()); ++i) {
    toy::ToyRobot& robot = *everyone[static_cast<std::size_t>(i)];
    onlookers.push_back(std::make_unique<Onlooker>(robot, elsewhere));
    input.rows.push_back({i, &start, static_cast<double>(robot.samples()), true, onlookers.back().get()});
  }
  const RoundsAfterOptions options{.rounds = 1, .kind = Kind::kConsolidated, .steps = 1, .body = NearBody::kAverage};
  (void)average_with(options)->merge(input, world);

  ParamVector fleet(layout);
  for (const auto& robot : everyone) {
    const ParamVector own = robot->curvature(elsewhere, 0).gradient;
    for (std::size_t w = 0; w < fleet.flat().size(); ++w) fleet.flat()[w] += own.flat()[w];
  }
  const std::size_t head = layout->tensors()[2].offset;
  for (std::size_t i = 0; i < onlookers.size(); ++i) {
    const auto own = static_cast<float>(input.rows[i].samples);
    for (std::size_t w = head; w < fleet.flat().size(); ++w) {
      EXPECT_NEAR(onlookers[i]->seen[w], fleet.flat()[w] / own, 1e-3F * (1.0F + std::abs(fleet.flat()[w] / own)));
    }
  }
}

TEST(RoundsAfter, are_counted) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const std::uint64_t model = sizeof(float) * fleet.symmetry().layout()->size();
  MergeCost plain;
  MergeCost consolidated;
  (void)merge_with_rounds(fleet, {.rounds = 2, .kind = Kind::kPlain, .steps = 5}, {0, 1, 2}, world, &plain);
  (void)merge_with_rounds(fleet, {.rounds = 2, .kind = Kind::kConsolidated, .steps = 5}, {0, 1, 2}, world,
                          &consolidated);
  EXPECT_EQ(plain.steps, 2U * 5U * 3U);
  EXPECT_EQ(plain.of(Cargo::kWeights).sent, 2U * 3U * model);
  EXPECT_EQ(consolidated.of(Cargo::kGradients).sent - plain.of(Cargo::kGradients).sent, 2U * 3U * model);
  EXPECT_GT(consolidated.of(Cargo::kMoments).sent, plain.of(Cargo::kMoments).sent);
}

TEST(LocalSteps, warm_up_in_every_run_and_come_down_over_all_of_them) {
  LocalSteps steps{.steps = 100, .before = 0, .total = 300};
  EXPECT_FLOAT_EQ(static_cast<float>(steps.factor(0)), 1.0F / 20.0F);
  EXPECT_NEAR(steps.factor(19), 1.0, 0.02);
  steps.before = 200;
  EXPECT_LT(steps.factor(0), 0.05);
  EXPECT_NEAR(steps.factor(99), 0.05, 0.001);
  for (std::int64_t step = 20; step < 100; ++step) EXPECT_LT(steps.factor(step), steps.factor(step - 1));
}

}  // namespace
}  // namespace fleet
