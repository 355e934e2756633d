// Episodes that robots learn from: what comes behind the last step of one that was cut off.
#include <gtest/gtest.h>

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
  Played episode = play_episode(*environment, sizes.action, encoder, first, max_steps);
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

}  // namespace
}  // namespace fleet::simulation
