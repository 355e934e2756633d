#include "simulation/recorder.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "metaworld/assets.hpp"
#include "metaworld/experts.hpp"

namespace fleet::metaworld {
namespace {

using namespace simulation;
using simulation::Environment;
using simulation::Variation;

std::vector<Demonstration> record(const Comm& comm, const std::string& tasks, const RecordingOptions& options) {
  const std::shared_ptr<const Suite> world = suite();
  EnvironmentPool environments(*world);
  return record_demonstrations(find_tasks(tasks), options, environments, comm);
}

TEST(MetaworldRecorder, records_the_same_on_any_number_of_ranks) {
  REQUIRE_METAWORLD_ASSETS();
  const Comm world = MpiSession::world();
  const RecordingOptions options{.episodes = 3, .noise = 0.5, .seed = 7};
  const std::vector<Demonstration> together = record(world, "push,drawer-open", options);
  const std::vector<Demonstration> alone = record(world.split(world.rank()), "push,drawer-open", options);
  if (!world.is_root()) return;
  ASSERT_EQ(together.size(), 6U);
  for (std::size_t i = 0; i < together.size(); ++i) {
    EXPECT_EQ(together[i].task, i < 3 ? "push-v3" : "drawer-open-v3");
    EXPECT_EQ(together[i].observations, alone[i].observations);
    EXPECT_EQ(together[i].actions, alone[i].actions);
    EXPECT_EQ(together[i].noise, alone[i].noise);
    EXPECT_EQ(together[i].attempts, alone[i].attempts);
  }
}

TEST(MetaworldRecorder, keeps_what_the_expert_wanted_while_carrying_out_something_else) {
  REQUIRE_METAWORLD_ASSETS();
  const Comm self = MpiSession::world().split(MpiSession::world().rank());
  const RecordingOptions options{.episodes = 4, .noise = 0.5};
  for (const Demonstration& episode : record(self, "push", options)) {
    ASSERT_TRUE(episode.ended);
    ASSERT_EQ(episode.observations.size(), (episode.steps() + 1) * kObservationSize);
    for (std::size_t i = 0; i < episode.steps(); ++i) {
      Observation observation;
      std::copy_n(episode.observations.begin() + static_cast<std::ptrdiff_t>(i * kObservationSize), kObservationSize,
                  observation.begin());
      const Action wanted = expert_action(task_of(task_named("push")), observation);
      for (std::size_t k = 0; k < kActionSize; ++k) {
        // The expert saw the observation before it was rounded to single precision.
        EXPECT_NEAR(episode.actions[i * kActionSize + k], std::clamp(wanted[k], -1.0F, 1.0F), 1e-4);
      }
    }
  }
}

TEST(MetaworldRecorder, gives_up_when_noise_leaves_no_chance) {
  REQUIRE_METAWORLD_ASSETS();
  const Comm world = MpiSession::world();
  EXPECT_THROW(record(world, "peg-insert-side", {.episodes = 2, .noise = 2000, .attempts = 1}), Error);
}

TEST(MetaworldEvaluation, is_the_same_on_any_number_of_ranks) {
  REQUIRE_METAWORLD_ASSETS();
  const Comm world = MpiSession::world();
  std::vector<EpisodeSpec> jobs;
  std::vector<int> tasks = find_tasks("reach,door-close");
  tasks.push_back(tasks.front());
  for (const int task : tasks) {
    const metaworld::Variation least{.object = task_of(task).randomisation.object_low};
    jobs.push_back({.task = task, .variation = least.numbers()});
  }
  const std::shared_ptr<const Suite> of = suite();
  EnvironmentPool environments(*of);
  Trials trials(jobs, environments);
  const auto together = evaluate(trials, expert_policy(), kEpisodeSteps, world);
  Trials again(jobs, environments);
  const auto alone = evaluate(again, expert_policy(), kEpisodeSteps, world.split(world.rank()));
  const auto from_stored_starts = evaluate(again, expert_policy(), kEpisodeSteps, world.split(world.rank()));
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_EQ(together[i].success, alone[i].success);
    EXPECT_EQ(together[i].steps, alone[i].steps);
    EXPECT_EQ(from_stored_starts[i].steps, alone[i].steps);
  }
  EXPECT_EQ(together[0].steps, together[2].steps);
}

}  // namespace
}  // namespace fleet::metaworld
