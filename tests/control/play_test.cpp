// Episodes that robots learn from: what comes behind the last step of one that was cut off.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "control/suite.hpp"
#include "simulation/online.hpp"

namespace fleet::simulation {
namespace {

/// An episode in which nothing is done but the first choice, or no torque.
Played played(std::string_view task, int max_steps, std::vector<float>* last_seen = nullptr) {
  const Settings none;
  SettingsReader settings(none);
  const std::shared_ptr<const Suite> suite = control::suite_entry().make(settings, {});
  const int id = suite->find_tasks(task).front();
  const Sizes& sizes = suite->sizes(id);
  const ObservationEncoder encoder(suite, ObservationScaling(sizes.observation), {});
  const std::shared_ptr<Environment> environment = suite->make_environment(id, Suite::Detail::kPhysics);
  RandomStream stream(3, Purpose::kTest);
  environment->reset(suite->draw(id, stream));
  const Act first = [](std::span<const float>, std::span<float> action) {
    std::ranges::fill(action, 0.0F);
    if (action.size() > 1) action[0] = 1;
  };
  const std::array<Environment*, 1> one = {environment.get()};
  Played episode = play_episodes(one, sizes.action, encoder, first, max_steps).front();
  if (last_seen != nullptr) {
    last_seen->resize(sizes.observation);
    std::vector<float> plain(environment->observation().begin(), environment->observation().end());
    encoder.encode(plain, 0, *last_seen);
  }
  return episode;
}

TEST(PlayedEpisodes, that_are_cut_off_say_what_would_be_seen_next) {
  std::vector<float> last;
  const Played swing = played("pendulum", 7, &last);
  EXPECT_EQ(swing.rewards.size(), 7U);
  EXPECT_EQ(swing.beyond, last);
  const Played standing = played("cartpole", 3, &last);
  EXPECT_EQ(standing.rewards.size(), 3U);
  EXPECT_EQ(standing.beyond, last);
}

TEST(PlayedEpisodes, that_have_ended_say_nothing_more) {
  const Played fallen = played("cartpole", 500);
  EXPECT_LT(fallen.rewards.size(), 30U);
  EXPECT_TRUE(fallen.beyond.empty());
}

/// Poles fall after different numbers of steps; what each sees does not depend on who stands beside it.
TEST(PlayedEpisodes, side_by_side_are_what_they_are_one_by_one) {
  const Settings none;
  SettingsReader settings(none);
  const std::shared_ptr<const Suite> suite = control::suite_entry().make(settings, {});
  const int id = suite->find_tasks("cartpole").front();
  const Sizes& sizes = suite->sizes(id);
  const ObservationEncoder encoder(suite, ObservationScaling(sizes.observation), {});
  EnvironmentPool pool(*suite);
  constexpr std::uint64_t kEpisodes = 8;
  constexpr int kMaxSteps = 60;
  const auto begun = [&](std::uint64_t first, std::size_t count) {
    std::vector<Environment*> environments = pool.side_by_side(id, count);
    for (std::size_t i = 0; i < count; ++i) {
      RandomStream stream(first + i, Purpose::kTest);
      environments[i]->reset(suite->draw(id, stream));
    }
    return environments;
  };
  const Act to_where_it_leans = [&](std::span<const float> inputs, std::span<float> actions) {
    std::ranges::fill(actions, 0.0F);
    for (std::size_t i = 0; i * 2 < actions.size(); ++i) {
      const float angle = inputs[i * sizes.observation + 2];
      actions[2 * i + (angle > 0 ? 1 : 0)] = 1;
    }
  };
  const std::vector<Played> together =
      play_episodes(begun(0, kEpisodes), sizes.action, encoder, to_where_it_leans, kMaxSteps);
  std::set<std::size_t> lengths;
  for (std::uint64_t i = 0; i < kEpisodes; ++i) {
    const Played alone = play_episodes(begun(i, 1), sizes.action, encoder, to_where_it_leans, kMaxSteps).front();
    EXPECT_EQ(together[i].rewards, alone.rewards);
    EXPECT_EQ(together[i].beyond, alone.beyond);
    lengths.insert(alone.rewards.size());
  }
  EXPECT_GT(lengths.size(), 2U);
}

}  // namespace
}  // namespace fleet::simulation
