#include "simulation/cloning.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"

namespace fleet::simulation {
namespace {

constexpr std::size_t kRows = 500;
constexpr Sizes kSizes{.observation = 39, .action = 4};

/// Tasks without physics.
class PaperSuite final : public Suite {
 public:
  const Facts& facts() const override { return facts_; }
  std::span<const Task> tasks() const override { return tasks_; }
  std::span<const TaskSet> task_sets() const override { return {}; }
  Variation draw(int, RandomStream&) const override { return {}; }
  std::shared_ptr<Environment> make_environment(int, Detail) const override { return nullptr; }
  std::string digest() const override { return {}; }
  std::string engine() const override { return {}; }

 private:
  Facts facts_{.name = "paper", .title = "paper", .task_suffix = "-v3", .sizes = kSizes};
  std::vector<Task> tasks_{{"push", 9}, {"reach", 9}, {"hammer", 9}};
};
const PaperSuite kSuite;

std::vector<int> find_tasks(std::string_view names) {
  return kSuite.find_tasks(names);
}

/// Rows whose dimension i has mean i and deviation i / 10, but for one that is constant and one that hardly moves.
std::vector<float> rows() {
  std::vector<float> made;
  RandomStream stream(1, Purpose::kTest);
  for (std::size_t row = 0; row < kRows; ++row) {
    for (std::size_t i = 0; i < kSizes.observation; ++i) {
      const double deviation = i == 5 ? 0 : i == 6 ? 1e-3 : static_cast<double>(i) / 10;
      made.push_back(static_cast<float>(static_cast<double>(i) + deviation * stream.normal()));
    }
  }
  return made;
}

TEST(CloningRows, are_of_no_more_tasks_than_labels_can_tell_apart) {
  DemonstrationSet set;
  for (int task = 0; task < 256; ++task) {
    set.episodes.push_back({.task = cat("task-", task),
                            .observations = std::vector<float>(2 * kSizes.observation),
                            .actions = std::vector<float>(kSizes.action),
                            .rewards = {1}});
  }
  const CloningRows rows = rows_of(set, kSizes);
  EXPECT_EQ(rows.tasks[rows.labels.back()], "task-255");
  set.episodes.push_back(set.episodes.back());
  set.episodes.back().task = "one more";
  EXPECT_THROW((void)rows_of(set, kSizes), Error);
}

TEST(ObservationScaling, brings_what_varies_to_mean_0_and_deviation_1) {
  const std::vector<float> all = rows();
  ObservationMoments moments(kSizes.observation);
  moments.add(all);
  const ObservationScaling scaling(moments);
  ObservationMoments scaled(kSizes.observation);
  for (std::size_t at = 0; at < all.size(); at += kSizes.observation) {
    std::array<float, kSizes.observation> row{};
    scaling.apply(std::span(all).subspan(at).first<kSizes.observation>(), row);
    EXPECT_EQ(row[5], 0) << "a constant dimension says nothing";
    scaled.add(row);
  }
  for (std::size_t i = 7; i < kSizes.observation; ++i) {
    EXPECT_NEAR(scaled.sum[i] / kRows, 0, 1e-4);
    EXPECT_NEAR(scaled.squares[i] / kRows, 1, 1e-3);
  }
  EXPECT_LT(scaled.squares[6] / kRows, 0.01) << "what hardly moves must not be blown up";
}

TEST(ObservationScaling, needs_no_more_than_the_robots_sums) {
  const std::vector<float> all = rows();
  ObservationMoments pooled(kSizes.observation);
  pooled.add(all);
  ObservationMoments fleet(kSizes.observation);
  for (std::size_t robot = 0; robot < 4; ++robot) {
    constexpr std::size_t kShare = kRows / 4 * kSizes.observation;
    ObservationMoments own(kSizes.observation);
    own.add(std::span(all).subspan(robot * kShare, kShare));
    fleet.add(own);
  }
  EXPECT_EQ(fleet.count, pooled.count);
  std::array<float, kSizes.observation> one{};
  std::array<float, kSizes.observation> other{};
  const auto row = std::span<const float>(all).first<kSizes.observation>();
  ObservationScaling(pooled).apply(row, one);
  ObservationScaling(fleet).apply(row, other);
  for (std::size_t i = 0; i < kSizes.observation; ++i) EXPECT_NEAR(one[i], other[i], 1e-4);
}

TEST(ObservationScaling, bounds_what_the_fleet_has_never_seen) {
  ObservationMoments moments(kSizes.observation);
  moments.add(rows());
  std::array<float, kSizes.observation> far{};
  far.fill(1e6F);
  std::array<float, kSizes.observation> scaled{};
  ObservationScaling(moments).apply(far, scaled);
  EXPECT_EQ(scaled[20], 10);
  EXPECT_THROW(ObservationScaling{ObservationMoments(kSizes.observation)}, Error);
}

TEST(CloningRows, pair_every_action_with_the_observation_it_answered) {
  DemonstrationSet set;
  for (const char* task : {"reach-v3", "push-v3", "reach-v3"}) {
    Demonstration& episode = set.episodes.emplace_back();
    episode.task = task;
    const auto number = static_cast<float>(set.episodes.size());
    for (std::size_t step = 0; step <= 4; ++step) {
      episode.observations.insert(episode.observations.end(), kSizes.observation,
                                  10 * number + static_cast<float>(step));
      if (step < 4)
        episode.actions.insert(episode.actions.end(), kSizes.action, 10 * number + static_cast<float>(step));
    }
    episode.rewards.assign(4, 0);
  }
  const CloningRows made = rows_of(set, kSizes);
  ASSERT_EQ(made.size(), 12U);
  EXPECT_EQ(made.tasks, (std::vector<std::string>{"reach-v3", "push-v3"}));
  EXPECT_EQ(made.labels, (std::vector<std::uint8_t>{0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0}));
  for (std::size_t row = 0; row < made.size(); ++row) {
    EXPECT_EQ(made.observations[row * kSizes.observation], made.actions[row * kSizes.action]);
  }
}

TEST(CloningRows, are_split_by_whole_demonstrations) {
  DemonstrationSet set;
  const std::vector<int> tasks = find_tasks("push,reach");
  for (std::size_t k = 0; k < 12; ++k) {
    Demonstration& episode = set.episodes.emplace_back();
    episode.task = k % 3 == 0 ? "push-v3" : k % 3 == 1 ? "reach-v3" : "door-open-v3";
    episode.observations.resize((k + 2) * kSizes.observation);
    episode.actions.resize((k + 1) * kSizes.action);
    episode.rewards.resize(k + 1);
  }
  const CloningRows all = rows_of(set, kSizes);
  const CloningSplit split = split_windows(all, kSuite, tasks, 0.5, 1);
  ASSERT_EQ(split.test.size(), 2U);
  std::set<std::int32_t> rows(split.train.begin(), split.train.end());
  for (const auto& windows : split.test) rows.insert(windows.begin(), windows.end());
  EXPECT_EQ(rows.size(), 1U + 4U + 7U + 10U + 2U + 5U + 8U + 11U);
  EXPECT_EQ(split.train.size() + split.test[0].size() + split.test[1].size(), rows.size());
  const std::set<std::int32_t> learned(split.demonstrations.begin(), split.demonstrations.end());
  EXPECT_EQ(learned.size(), 4U) << "two of the four of each task";
  for (std::size_t i = 0; i < split.train.size(); ++i) {
    EXPECT_EQ(all.tasks[all.labels[static_cast<std::size_t>(split.train[i])]],
              split.labels[i] == 0 ? "push-v3" : "reach-v3");
    const auto from = static_cast<std::size_t>(split.demonstrations[i]);
    EXPECT_TRUE(split.train[i] >= all.starts[from] && split.train[i] < all.end_of(from));
  }
  for (const std::int32_t demonstration : learned) {
    const auto which = static_cast<std::size_t>(demonstration);
    EXPECT_EQ(std::ranges::count(split.demonstrations, demonstration), all.end_of(which) - all.starts[which]);
  }
  EXPECT_EQ(split_windows(all, kSuite, tasks, 0.5, 1).train, split.train);
  EXPECT_GT(split_windows(all, kSuite, tasks, 0.01, 1).test[0].size(), 0U) << "at least one is tested on";
  EXPECT_THROW((void)split_windows(all, kSuite, find_tasks("hammer"), 0.1, 1), Error);
}

TEST(CloningRows, every_row_is_in_a_window_of_its_own_demonstration) {
  constexpr int kWindow = 4;
  DemonstrationSet set;
  for (const std::size_t steps : {4U, 9U, 8U, 5U}) {
    Demonstration& episode = set.episodes.emplace_back();
    episode.task = "push-v3";
    episode.observations.resize((steps + 1) * kSizes.observation);
    episode.actions.resize(steps * kSizes.action);
    episode.rewards.resize(steps);
  }
  const CloningRows all = rows_of(set, kSizes);
  const CloningSplit split = split_windows(all, kSuite, find_tasks("push"), 0.5, kWindow);
  std::set<std::int32_t> windows(split.train.begin(), split.train.end());
  windows.insert(split.test[0].begin(), split.test[0].end());
  // The last of the second and of the fourth overlaps the one before.
  EXPECT_EQ(windows, (std::set<std::int32_t>{0, 4, 8, 9, 13, 17, 21, 22}));
  EXPECT_THROW((void)split_windows(all, kSuite, find_tasks("push"), 0.5, 5), ConfigError);
}

TEST(ObservationScaling, that_is_none_lets_everything_pass_as_it_is) {
  const std::array<float, 2> fast = {28.0F, -31.0F};
  std::array<float, 2> seen{};
  ObservationScaling(2).apply(fast, seen);
  EXPECT_EQ(seen, fast);
}

}  // namespace
}  // namespace fleet::simulation
