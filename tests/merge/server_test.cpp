// Averaging's variants: servers that step towards the mean, and what robots add to their gradients between merges.
#include "merge/server.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "merge/consensus.hpp"
#include "merge/methods.hpp"
#include "toy_fleet.hpp"
#include "values.hpp"

namespace fleet {
namespace {

using toy::ToyFleet;
using Keys = std::map<std::string, Value>;

ParamVector constant(float value) {
  ParamVector weights(toy::symmetry().layout());
  std::fill(weights.flat().begin(), weights.flat().end(), value);
  return weights;
}

TEST(Server, without_momentum_goes_to_the_mean) {
  Server server({.kind = ServerOptions::Kind::kMomentum, .beta1 = 0.0});
  const ParamVector previous = constant(3.0F);
  ParamVector mean = constant(5.0F);
  server.step(&previous, mean);
  EXPECT_EQ(values(mean), values(constant(5.0F)));
}

TEST(Server, momentum_adds_up) {
  Server server({.kind = ServerOptions::Kind::kMomentum, .beta1 = 0.5});
  const ParamVector previous = constant(0.0F);
  float velocity = 0.0F;
  for (int round = 0; round < 5; ++round) {
    ParamVector mean = constant(1.0F);
    server.step(&previous, mean);
    velocity = 0.5F * velocity + 1.0F;
    EXPECT_FLOAT_EQ(mean.flat()[0], velocity);
  }
}

TEST(Server, adams_first_step_is_the_rate_wherever_the_mean_is_far) {
  Server server({.kind = ServerOptions::Kind::kAdam, .learning_rate = 0.1, .beta1 = 0.9, .beta2 = 0.99, .tau = 1e-9});
  const ParamVector previous = constant(2.0F);
  ParamVector mean = constant(102.0F);
  server.step(&previous, mean);
  EXPECT_NEAR(mean.flat()[0], 2.0 + 0.1 * (0.1 * 100.0) / std::sqrt(0.01 * 100.0 * 100.0), 1e-5);
}

TEST(Server, goes_on_from_what_was_saved) {
  for (const auto kind : {ServerOptions::Kind::kMomentum, ServerOptions::Kind::kAdam}) {
    Server whole({.kind = kind});
    Server first({.kind = kind});
    const ParamVector previous = constant(1.0F);
    for (Server* server : {&whole, &first}) {
      ParamVector mean = constant(2.0F);
      server->step(&previous, mean);
    }
    StateWriter written;
    first.save(written);
    Server second({.kind = kind});
    StateReader read(written.bytes());
    second.load(read);
    EXPECT_TRUE(read.at_end());
    ParamVector a = constant(-4.0F);
    ParamVector b = a;
    whole.step(&previous, a);
    second.step(&previous, b);
    EXPECT_EQ(values(a), values(b));
  }
}

TEST(Average, only_proposes_without_moving_its_server) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const Keys momentum{{"merge.average.server", Value("momentum")}};
  const auto asked = make_method("average", momentum);
  const auto merged = make_method("average", momentum);
  const ParamVector previous = constant(0.5F);
  MergeInput input = fleet.input({0, 1, 2, 3});
  input.previous = &previous;
  (void)asked->propose(input, world);
  EXPECT_EQ(values(asked->merge(input, world).merged), values(merged->merge(input, world).merged));
}

TEST(Proximal, draws_robots_to_the_consensus) {
  const auto merger = make_method("average", {{"merge.average.proximal", Value(0.25)}});
  EXPECT_EQ(merger->local_term(0, nullptr), nullptr) << "there is no consensus yet";
  const ParamVector consensus = constant(1.0F);
  const auto term = merger->local_term(0, &consensus);
  ParamVector gradient = constant(7.0F);
  term->add_to(constant(5.0F), gradient);
  EXPECT_EQ(values(gradient), values(constant(7.0F + 0.25F * 4.0F)));
  EXPECT_EQ(make_method("average", {})->local_term(0, &consensus), nullptr);
}

/// What is added to the robots' gradients, weighted as they are, sums to nothing: where all stand at the consensus the
/// fleet goes where its own gradient points.
TEST(Scaffold, control_variates_sum_to_nothing) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const auto merger = make_method("scaffold", {});
  const ParamVector consensus = merger->merge(fleet.input({0, 1, 2, 3}), world).merged;
  MergeInput input = fleet.input({0, 1, 2, 3});
  input.round = 2;
  input.previous = &consensus;
  EXPECT_EQ(merger->local_term(0, &consensus), nullptr) << "no gradient is known yet";
  (void)merger->merge(input, world);
  std::vector<ParamVector> added;
  std::vector<Comm::Term> terms;
  for (const MergeRow& row : input.rows) {
    ParamVector& own = added.emplace_back(fleet.symmetry().layout());
    merger->local_term(row.robot, &consensus)->add_to(consensus, own);
  }
  double size = 0.0;
  for (std::size_t i = 0; i < added.size(); ++i) {
    terms.push_back({added[i].flat(), input.rows[i].samples});
    for (const float value : added[i].flat()) size = std::max(size, std::abs(static_cast<double>(value)));
  }
  size = world.max(size);
  EXPECT_GT(size, 0.1);
  ParamVector sum(fleet.symmetry().layout());
  world.ordered_sum(terms, sum.flat());
  for (const float value : sum.flat()) EXPECT_NEAR(value, 0.0, 1e-3 * size);
}

/// Control variates are gradients at the consensus: with what is added to its own, every robot goes where the fleet's
/// gradient points.
TEST(Scaffold, at_the_consensus_every_robot_follows_the_fleets_gradient) {
  const Comm world = MpiSession::world();
  ToyFleet fleet(4, world);
  const auto merger = make_method("scaffold", {});
  const ParamVector consensus = merger->merge(fleet.input({0, 1, 2, 3}), world).merged;
  MergeInput input = fleet.input({0, 1, 2, 3});
  MergeCost cost;
  input.round = 2;
  input.previous = &consensus;
  input.cost = &cost;
  (void)merger->merge(input, world);
  const CargoBytes& sent = cost.of(Cargo::kGradients);
  EXPECT_EQ(sent.sent, 4 * consensus.flat().size_bytes());
  EXPECT_EQ(sent.received, sent.sent) << "the sum goes back to every robot";

  std::vector<ParamVector> gradients;
  std::vector<Comm::Term> terms;
  for (const MergeRow& row : input.rows) {  // of the samples that were drawn for the control variates
    RandomStream stream(input.seed, Purpose::kAlignment, static_cast<std::uint64_t>(row.robot), 2);
    (void)row.data->loss_gradient(consensus, 1000, stream, gradients.emplace_back(fleet.symmetry().layout()));
  }
  std::int64_t samples = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    terms.push_back({gradients[i].flat(), input.rows[i].samples});
    samples += static_cast<std::int64_t>(input.rows[i].samples);
  }
  ParamVector mean(fleet.symmetry().layout());
  world.ordered_sum(terms, mean.flat(), 1.0 / static_cast<double>(world.sum(samples)));
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    merger->local_term(input.rows[i].robot, &consensus)->add_to(consensus, gradients[i]);
    for (std::size_t w = 0; w < mean.flat().size(); ++w) {
      EXPECT_NEAR(gradients[i].flat()[w], mean.flat()[w], 1e-4) << "robot " << input.rows[i].robot;
    }
  }
}

}  // namespace
}  // namespace fleet
