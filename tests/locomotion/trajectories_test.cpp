#include "simulation/trajectories.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <numeric>
#include <set>

#include "base/error.hpp"
#include "base/random.hpp"
#include "io/hdf5.hpp"
#include "locomotion/suite.hpp"
#include "scratch.hpp"

namespace fleet::simulation {
namespace {

constexpr Sizes kHopper{.observation = 11, .action = 3};

std::vector<float> random_numbers(RandomStream& stream, std::size_t count) {
  std::vector<float> numbers(count);
  for (float& number : numbers) number = static_cast<float>(2.0 * stream.uniform() - 1.0);
  return numbers;
}

/// Of so many steps each; the first ends by a fall.
DemonstrationSet random_lives(const std::vector<std::size_t>& lengths, const std::string& task = "hopper",
                              const Sizes& sizes = kHopper) {
  DemonstrationSet set;
  RandomStream stream(1, Purpose::kTest);
  for (const std::size_t length : lengths) {
    Demonstration& episode = set.episodes.emplace_back();
    episode.task = task;
    episode.observations = random_numbers(stream, (length + 1) * sizes.observation);
    episode.actions = random_numbers(stream, length * sizes.action);
    episode.rewards = random_numbers(stream, length);
    episode.ended = set.episodes.size() == 1;
  }
  return set;
}

/// The same as D4RL has it; `change` may spoil what is written.
struct Flat {
  std::vector<float> observations;
  std::vector<float> actions;
  std::vector<float> rewards;
  std::vector<std::uint8_t> terminals;
  std::vector<std::uint8_t> timeouts;
};

Flat flat_of(const DemonstrationSet& set) {
  Flat flat;
  for (const Demonstration& episode : set.episodes) {
    flat.observations.insert(flat.observations.end(), episode.observations.begin(),
                             episode.observations.end() - static_cast<std::ptrdiff_t>(kHopper.observation));
    flat.actions.insert(flat.actions.end(), episode.actions.begin(), episode.actions.end());
    flat.rewards.insert(flat.rewards.end(), episode.rewards.begin(), episode.rewards.end());
    flat.terminals.resize(flat.rewards.size(), 0);
    flat.timeouts.resize(flat.rewards.size(), 0);
    (episode.ended ? flat.terminals : flat.timeouts).back() = 1;
  }
  return flat;
}

class TrajectoriesTest : public testing::Test {
 protected:
  void SetUp() override {
    const Settings none;
    SettingsReader reader(none);
    suite_ = locomotion::suite_entry().make(reader, {});
  }
  std::filesystem::path write(const Flat& flat, const std::set<std::string>& without = {}, bool column = false) {
    const std::filesystem::path path = scratch_.path() / "flat.hdf5";
    Hdf5Writer file(path);
    const std::size_t rows = flat.rewards.size();
    const auto write_array = [&](const char* name, std::span<const float> values, std::vector<std::size_t> shape) {
      if (!without.contains(name)) file.write_array(name, values, shape);
    };
    write_array("observations", flat.observations, {flat.observations.size() / 11, 11});
    write_array("actions", flat.actions, {flat.actions.size() / 3, 3});
    write_array("rewards", flat.rewards, column ? std::vector<std::size_t>{rows, 1} : std::vector<std::size_t>{rows});
    file.write_flags("terminals", flat.terminals);
    if (!without.contains("timeouts")) file.write_flags("timeouts", flat.timeouts);
    file.commit();
    return path;
  }
  [[nodiscard]] std::vector<DemonstrationSource> sources(const std::filesystem::path& path) const {
    return {{.path = path, .task = "hopper"}};
  }
  [[nodiscard]] ReadTrajectories read(const std::filesystem::path& path) const {
    return read_trajectories(sources(path), *suite_, suite_->find_tasks("hopper"));
  }
  void expect_refusal(const std::filesystem::path& path, const std::string& words) const {
    try {
      (void)read(path);
      ADD_FAILURE() << "read; expected: " << words;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(words), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find(path.string()), std::string::npos) << error.what();
    }
  }

  Scratch scratch_;
  std::shared_ptr<const Suite> suite_;
};

TEST_F(TrajectoriesTest, a_file_of_d4rl_and_one_of_minari_are_the_same) {
  const DemonstrationSet set = random_lives({30, 7, 100});
  const std::filesystem::path own = scratch_.path() / "own.h5";
  write_demonstrations(own, set, kHopper);
  const ReadTrajectories one = read(own);
  for (const bool column : {false, true}) {
    const ReadTrajectories other = read(write(flat_of(set), {}, column));
    EXPECT_EQ(one.index.digest, other.index.digest);
    EXPECT_EQ(one.states, other.states);
    EXPECT_EQ(one.index.episodes, (std::vector<std::int32_t>{0, 30, 37, 137}));
  }
}

TEST_F(TrajectoriesTest, an_episode_without_an_end_is_left_out_and_without_timeouts_it_ends_with_its_time) {
  Flat flat = flat_of(random_lives({20, 1000, 1000, 50}));
  flat.timeouts.back() = 0;
  EXPECT_EQ(read(write(flat)).index.episodes, (std::vector<std::int32_t>{0, 20, 1020, 2020}));
  EXPECT_EQ(read(write(flat, {"timeouts"})).index.episodes, (std::vector<std::int32_t>{0, 20, 1020, 2020}));
}

TEST_F(TrajectoriesTest, what_is_to_come_falls_by_each_reward) {
  const DemonstrationSet set = random_lives({30, 7});
  const ReadTrajectories all = read(write(flat_of(set)));
  std::int32_t row = 0;
  for (const Demonstration& episode : set.episodes) {
    for (std::size_t step = 0; step < episode.steps(); ++step, ++row) {
      EXPECT_EQ(all.index.step_of(row), static_cast<std::int32_t>(step));
      const bool last = step + 1 == episode.steps();
      const float next = last ? 0.0F : all.index.to_go[static_cast<std::size_t>(row) + 1];
      EXPECT_NEAR(all.index.to_go[static_cast<std::size_t>(row)] - next, episode.rewards[step], 1e-5F);
    }
  }
}

TEST_F(TrajectoriesTest, bodies_lie_side_by_side_and_others_actions_are_no_numbers) {
  const std::filesystem::path hopper = scratch_.path() / "hopper.h5";
  const std::filesystem::path cheetah = scratch_.path() / "halfcheetah.h5";
  write_demonstrations(hopper, random_lives({8, 9}), kHopper);
  const Sizes sizes{.observation = 17, .action = 6};
  const DemonstrationSet other = random_lives({5}, "halfcheetah", sizes);
  write_demonstrations(cheetah, other, sizes);
  const std::vector<DemonstrationSource> files = {{.path = hopper, .task = "hopper"},
                                                  {.path = cheetah, .task = "halfcheetah"}};
  const ReadTrajectories all = read_trajectories(files, *suite_, suite_->find_tasks("hopper, halfcheetah"));
  EXPECT_EQ(all.index.total(), (Sizes{.observation = 28, .action = 9}));
  EXPECT_EQ(all.index.bodies, (std::vector<std::int32_t>{0, 17, 22}));
  EXPECT_EQ(all.index.of_bodies, (std::vector<std::int32_t>{0, 2, 3}));
  EXPECT_EQ(all.index.body_of(16), 0U);
  EXPECT_EQ(all.index.body_of(17), 1U);
  for (std::size_t row = 0; row < 22; ++row) {
    for (std::size_t i = 0; i < 9; ++i) EXPECT_EQ(std::isnan(all.actions[9 * row + i]), (i < 3) != (row < 17));
  }
  EXPECT_EQ(all.actions[9 * 17 + 3], other.episodes.front().actions.front());
  EXPECT_EQ(all.states.size(), 17U * 11 + 5U * 17);
}

TEST_F(TrajectoriesTest, windows_lie_within_episodes_and_those_of_the_test_are_nobodys) {
  const ReadTrajectories all = read(write(flat_of(random_lives({30, 4, 12, 40, 5}))));
  constexpr int kWindow = 5;
  const TrajectorySplit split = split_trajectories(all.index, 0, 1, "hopper", 0.3, kWindow);
  std::set<std::int32_t> seen;
  const auto within = [&](std::int32_t first) {
    return all.index.step_of(first) + kWindow - 1 == all.index.step_of(first + kWindow - 1);
  };
  for (const std::vector<std::int32_t>* side : {&split.train, &split.test}) {
    for (const std::int32_t first : *side) EXPECT_TRUE(within(first)) << first;
  }
  for (const std::int32_t first : split.train) {
    for (int k = 0; k < kWindow; ++k) seen.insert(first + k);
  }
  for (const std::int32_t first : split.test) {
    for (int k = 0; k < kWindow; ++k) EXPECT_FALSE(seen.contains(first + k));
  }
  EXPECT_EQ(split.train.size(), split.episodes.size());
  EXPECT_FALSE(split.test.empty());
  EXPECT_THROW((void)split_trajectories(all.index, 0, 1, "hopper", 0.3, 35), Error);  // one episode has so many steps
}

TEST_F(TrajectoriesTest, a_body_is_tested_on_the_same_episodes_wherever_it_stands_among_others) {
  const Sizes sizes{.observation = 17, .action = 6};
  const std::filesystem::path cheetah = scratch_.path() / "halfcheetah.h5";
  write_demonstrations(cheetah, random_lives({9, 12, 7, 8}, "halfcheetah", sizes), sizes);
  const std::filesystem::path hopper = write(flat_of(random_lives({30, 14, 12, 40, 15, 9, 11})));
  const auto tested_of_hopper = [&](const std::string& names, std::size_t body) {
    const std::vector<int> tasks = suite_->find_tasks(names);
    std::vector<DemonstrationSource> files{{.path = cheetah, .task = "halfcheetah"}};
    files.insert(body == 0 ? files.begin() : files.end(), {.path = hopper, .task = "hopper"});
    const Trajectories all = read_trajectories(files, *suite_, tasks).index;
    std::vector<std::int32_t> test = split_trajectories(all, body, tasks[body], "hopper", 0.3, 5).test;
    for (std::int32_t& row : test) row -= all.bodies[body];
    return test;
  };
  EXPECT_EQ(tested_of_hopper("hopper, halfcheetah", 0), tested_of_hopper("halfcheetah, hopper", 1));
}

TEST_F(TrajectoriesTest, what_cannot_be_learned_from_is_refused) {
  const Flat good = flat_of(random_lives({10, 12}));
  expect_refusal(write(good, {"rewards"}), "no rewards");
  expect_refusal(write(good, {"actions"}), "no actions");
  Flat flat = good;
  flat.actions.resize(3 * 20);
  expect_refusal(write(flat), "actions is 20 x 3, expected 22 x 3");
  flat = good;
  flat.actions[4] = 1.2F;
  expect_refusal(write(flat), "beyond [-1, 1]");
  flat = good;
  flat.observations[5] = std::numeric_limits<float>::quiet_NaN();
  expect_refusal(write(flat), "not finite");
  flat = good;
  std::ranges::fill(flat.terminals, 0);
  std::ranges::fill(flat.timeouts, 0);
  expect_refusal(write(flat), "no whole episode");
  flat = good;
  flat.observations.clear();
  expect_refusal(write(flat), "expected 0 x 3");
  const std::filesystem::path other = scratch_.path() / "other.h5";
  write_demonstrations(other, random_lives({5}, "walker2d"), kHopper);
  expect_refusal(other, "expected hopper");
}

}  // namespace
}  // namespace fleet::simulation
