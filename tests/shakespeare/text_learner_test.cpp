// Laws of fleets that learn text, whatever the network and the number of ranks.
#include "shakespeare/world.hpp"

#include <gtest/gtest.h>

#include "scratch.hpp"
#include "train/round_loop.hpp"

namespace fleet {
namespace {

Setting text(const std::string& value) {
  return {Value(value), {}};
}
Setting number(std::int64_t value) {
  return {Value(value), {}};
}

/// Five roles, each of whom counts in letters by a step of its own.
std::string play() {
  std::string plays;
  for (std::size_t line = 0; line < 12; ++line) {
    for (std::size_t role = 0; role < 5; ++role) {
      plays += cat("ROLE ", "ABCDE"[role], ":\n");
      for (std::size_t i = 0; i < 30 + 4 * role; ++i) plays += static_cast<char>('a' + (line + i * (role + 1)) % 7);
      plays += "\n\n";
    }
  }
  return plays;
}

struct Law {
  std::string model;
  std::string method;
};
void PrintTo(const Law& law, std::ostream* out) {
  *out << law.model << " by " << law.method;
}

class TextFleet : public testing::TestWithParam<Law> {
 protected:
  TextFleet() { Scratch::write(scratch_.path() / "play.txt", play()); }

  [[nodiscard]] Settings settings() const {
    return {{"run.data", text((scratch_.path() / "play.txt").string())},
            {"fleet.robots", number(5)},
            {"data.window", number(20)},
            {"model.kind", text(GetParam().model)},
            {"model.hidden", {Value(Value::List{Value(std::int64_t{9})}), {}}},
            {"train.batch_size", number(4)},
            {"merge.regression.head_iterations", number(10)},
            {"seed", number(3)}};
  }
  /// All metrics and the merged weights.
  std::vector<double> outcome(const Comm& comm) const {
    const Settings cell = settings();
    const Settings* const cells[] = {&cell};
    const std::unique_ptr<World> world = shakespeare_world().make();
    world->load(cells, comm);
    const std::unique_ptr<Workload> workload = world->make(cell);
    SettingsReader reader(cell);
    const MergerEntry& method = find_merger(GetParam().method);
    const std::unique_ptr<Merger> merger = method.make(reader);
    const FleetOptions schedule{.robots = 5,
                                .epochs = 2,
                                .merge_every = 1,
                                .participation = 0.6,
                                .local_tests = FleetOptions::LocalTests::kEvery,
                                .seed = 3};
    std::vector<double> found;
    const CellResult result =
        run_cell(schedule, method.regime, merger.get(), *workload, comm, [&](const RoundRecord& round) {
          for (const Metric& metric : round.metrics) found.push_back(metric.value);
        });
    found.insert(found.end(), result.merged->flat().begin(), result.merged->flat().end());
    return found;
  }

  Scratch scratch_;
};

TEST_P(TextFleet, trains_and_merges_to_the_same_bits_on_any_number_of_ranks) {
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  EXPECT_EQ(outcome(alone), outcome(world));
}

INSTANTIATE_TEST_SUITE_P(Methods, TextFleet,
                         testing::Values(Law{"rnn", "average"}, Law{"lstm", "average"}, Law{"gru", "average"},
                                         Law{"rnn", "regression"}, Law{"lstm", "regression"}, Law{"gru", "regression"}),
                         [](const auto& tested) { return tested.param.model + "_" + tested.param.method; });

}  // namespace
}  // namespace fleet
