#include "simulation/offline.hpp"

#include <gtest/gtest.h>

#include "locomotion/suite.hpp"
#include "torch/models.hpp"

namespace fleet::simulation {
namespace {

Settings tiny() {
  const auto text = [](const char* value) { return Setting{Value(std::string(value)), {}}; };
  const auto number = [](std::int64_t value) { return Setting{Value(value), {}}; };
  return {{"data.tasks", text("halfcheetah, hopper")},
          {"fleet.robots", number(2)},
          {"model.width", number(8)},
          {"model.layers", number(1)},
          {"data.window", number(4)},
          {"evaluate.episodes", number(3)}};
}

class OfflineTest : public testing::Test {
 protected:
  void SetUp() override {
    SettingsReader reader(settings_);
    suite_ = locomotion::suite_entry().make(reader, {});
    try {
      (void)suite_->make_environment(0, Suite::Detail::kPhysics);
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
    options_ = read_offline_options(reader, suite_);
    network_ = make_network(reader, options_.shape);
    for (const int task : options_.tasks) {
      const std::size_t size = suite_->sizes(task).observation;
      ObservationMoments moments(size);
      std::vector<float> rows(2 * size, 0.5F);
      std::fill_n(rows.begin(), size, -0.5F);
      moments.add(rows);
      conditions_.scalings.emplace_back(moments);
      conditions_.returns.push_back(1000.0);
    }
  }
  [[nodiscard]] ParamVector weights(std::uint64_t seed) const {
    ParamVector drawn(layout_of(*network_));
    RandomStream stream(seed, Purpose::kTest);
    for (float& weight : drawn.flat()) weight = static_cast<float>(0.3 * stream.normal());
    return drawn;
  }
  [[nodiscard]] Variation variation(int task, int number) const {
    RandomStream stream(7, Purpose::kRollout, static_cast<std::uint64_t>(task), static_cast<std::uint64_t>(number));
    return suite_->draw(task, stream);
  }

  Settings settings_ = tiny();
  std::shared_ptr<const Suite> suite_;
  OfflineOptions options_;
  std::shared_ptr<const Network> network_;
  Conditions conditions_;
};

TEST_F(OfflineTest, episodes_side_by_side_are_those_by_themselves) {
  constexpr int kSteps = 30;  // before rounding makes gaits part
  DecisionPolicy acting(options_, conditions_, network_);
  const ParamVector drawn = weights(1);
  acting.use(drawn);
  for (const int task : options_.tasks) {
    std::vector<std::shared_ptr<Environment>> environments;
    std::vector<Environment*> lanes;
    for (int number = 0; number < 4; ++number) {
      environments.push_back(suite_->make_environment(task, Suite::Detail::kPhysics));
      environments.back()->reset(variation(task, number));
      lanes.push_back(environments.back().get());
    }
    const std::vector<EpisodeResult> together = acting.roll_out(lanes, kSteps);
    const Policy alone = acting.policy();
    for (int number = 0; number < 4; ++number) {
      environments.front()->reset(variation(task, number));
      const EpisodeResult one = roll_out(*environments.front(), suite_->sizes(task).action, alone, {}, kSteps);
      const EpisodeResult& other = together[static_cast<std::size_t>(number)];
      EXPECT_EQ(one.steps, other.steps);
      EXPECT_EQ(one.terminated, other.terminated);
      EXPECT_NEAR(one.reward, other.reward, 1e-3 * (1.0 + std::abs(one.reward)));
    }
  }
}

TEST_F(OfflineTest, conditions_come_back_from_a_model) {
  const Companions companions = conditions_.companions();
  std::vector<Sizes> sizes;
  for (const int task : options_.tasks) sizes.push_back(suite_->sizes(task));
  const Conditions saved = Conditions::saved(companions, sizes);
  EXPECT_EQ(saved.companions(), companions);
  Companions damaged = companions;
  damaged.erase("target_returns");
  EXPECT_THROW((void)Conditions::saved(damaged, sizes), Error);
  damaged = companions;
  damaged["observation_mean"].pop_back();
  EXPECT_THROW((void)Conditions::saved(damaged, sizes), Error);
}

/// Each number has one place, and those of other bodies are zero.
TEST_F(OfflineTest, a_step_is_told_of_one_body_alone) {
  const Sizes total{.observation = 28, .action = 9};
  const Sizes begin{.observation = 17, .action = 6};  // of the second body
  std::vector<float> input(3 * 2 + 28 + 9 + 1, 9.0F);
  const std::vector<float> last = {0.1F, 0.2F, 0.3F};
  const std::span<float> state = describe_step(2, 1, begin, total, 2000.0F, last, 5, input);
  EXPECT_EQ(state.size(), 11U);
  std::ranges::fill(state, 7.0F);
  std::vector<float> wanted(input.size(), 0.0F);
  wanted[1] = 2.0F;  // the return, in thousands
  wanted[3] = 1.0F;
  std::fill_n(wanted.begin() + 4 + 17, 11, 7.0F);
  wanted[32 + 1] = 1.0F;
  std::ranges::copy(last, wanted.begin() + 34 + 6);
  wanted.back() = 5.0F;
  EXPECT_EQ(input, wanted);
}

}  // namespace
}  // namespace fleet::simulation
