// What every simulated world must keep, on any number of ranks: each row of the table is put to it.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>

#include "base/error.hpp"
#include "scratch.hpp"
#include "simulation/demonstrations.hpp"
#include "simulation/recorder.hpp"
#include "suites.hpp"

namespace {
std::atomic<int> allocations = 0;
}

// Not inlined, lest the compiler take malloc() and delete for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* const memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t /*bytes*/) noexcept {
  std::free(memory);
}

namespace fleet::simulation {
namespace {

using Actions = std::vector<std::vector<float>>;
using Observations = std::vector<std::vector<double>>;

/// A world, or a visible skip where it was not built or its files are not to be had.
class SimulatedWorld : public testing::TestWithParam<const SuiteEntry*> {
 protected:
  void SetUp() override {
    try {
      const Settings defaults;
      SettingsReader reader(defaults);
      suite_ = GetParam()->make(reader, {});
      (void)suite_->digest();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }

  /// At most four tasks, from all over the table.
  [[nodiscard]] std::vector<int> some_tasks() const {
    const auto count = static_cast<int>(suite_->tasks().size());
    std::vector<int> tasks;
    for (int i = 0; i < std::min(4, count); ++i) tasks.push_back(i * (count - 1) / std::max(1, std::min(4, count) - 1));
    return tasks;
  }
  [[nodiscard]] Variation drawn(int task, std::uint64_t seed) const {
    RandomStream stream(seed, Purpose::kTest, static_cast<std::uint64_t>(task));
    return suite_->draw(task, stream);
  }
  [[nodiscard]] std::shared_ptr<Environment> make(int task) const {
    return suite_->make_environment(task, Suite::Detail::kPhysics);
  }
  [[nodiscard]] std::vector<float> no_action(int task) const { return std::vector<float>(suite_->sizes(task).action); }

  /// Actions of a whole number of steps that shake the robot.
  [[nodiscard]] Actions shaking(int task, int steps) const {
    RandomStream stream(5, Purpose::kTest);
    Actions actions(static_cast<std::size_t>(steps), no_action(task));
    for (std::vector<float>& action : actions) {
      for (float& value : action) value = static_cast<float>(2 * stream.uniform() - 1);
    }
    return actions;
  }
  static Observations follow(Environment& environment, const Actions& actions) {
    const auto seen = [&] {
      const std::span<const double> now = environment.observation();
      return std::vector<double>(now.begin(), now.end());
    };
    Observations observations = {seen()};
    for (const std::vector<float>& action : actions) {
      environment.step(action);
      observations.push_back(seen());
    }
    return observations;
  }
  [[nodiscard]] EpisodeResult run_expert(Environment& environment) const {
    return roll_out(environment, suite_->sizes(environment.task()).action, expert_policy(), {},
                    suite_->task(environment.task()).steps);
  }

  std::shared_ptr<const Suite> suite_;
};
INSTANTIATE_TEST_SUITE_P(Worlds, SimulatedWorld, testing::ValuesIn(suite_table().begin(), suite_table().end()),
                         [](const auto& tested) { return std::string(tested.param->name); });

TEST_P(SimulatedWorld, is_what_its_facts_say) {
  EXPECT_EQ(suite_->facts().name, GetParam()->name);
  EXPECT_FALSE(suite_->find_tasks(suite_->facts().default_tasks).empty());
  for (std::size_t id = 0; id < suite_->tasks().size(); ++id) {
    EXPECT_EQ(suite_->find_tasks(suite_->label(static_cast<int>(id))), std::vector{static_cast<int>(id)});
    EXPECT_GT(suite_->tasks()[id].steps, 0);
  }
  for (const int task : some_tasks()) {
    const std::shared_ptr<Environment> environment = make(task);
    environment->reset(drawn(task, 1));
    EXPECT_EQ(environment->task(), task);
    EXPECT_EQ(environment->observation().size(), suite_->sizes(task).observation);
    EXPECT_LE(suite_->facts().disturbed, suite_->sizes(task).action);
    EXPECT_LE(suite_->facts().body, drawn(task, 1).size());
    EXPECT_EQ(suite_->benchmark(task, 1).size(), static_cast<std::size_t>(suite_->facts().benchmark));
  }
}

TEST_P(SimulatedWorld, goes_the_same_way_from_the_same_variation_whatever_came_before) {
  for (const int task : some_tasks()) {
    const Actions actions = shaking(task, 20);
    const std::shared_ptr<Environment> environment = make(task);
    environment->reset(drawn(task, 1));
    const Start start = environment->start();
    const Observations first = follow(*environment, actions);
    environment->reset(drawn(task, 2));
    EXPECT_NE(follow(*environment, actions), first) << "variations differ in nothing";
    environment->reset(drawn(task, 1));
    EXPECT_EQ(follow(*environment, actions), first);
    environment->restore(start);
    EXPECT_EQ(follow(*environment, actions), first);
    const std::shared_ptr<Environment> other = make(task);
    other->restore(start);
    EXPECT_EQ(follow(*other, actions), first);
  }
}

TEST_P(SimulatedWorld, moves_alike_whether_it_can_be_seen_or_not) {
  for (const int task : some_tasks()) {
    const Actions actions = shaking(task, 10);
    const std::shared_ptr<Environment> bare = make(task);
    const std::shared_ptr<Environment> visual = suite_->make_environment(task, Suite::Detail::kVisual);
    bare->reset(drawn(task, 3));
    visual->reset(drawn(task, 3));
    EXPECT_EQ(follow(*bare, actions), follow(*visual, actions));
  }
}

TEST_P(SimulatedWorld, is_observed_in_finite_numbers) {
  for (const int task : some_tasks()) {
    const std::shared_ptr<Environment> environment = make(task);
    environment->reset(drawn(task, 4));
    for (const std::vector<double>& seen : follow(*environment, shaking(task, 30))) {
      EXPECT_TRUE(std::ranges::all_of(seen, [](double value) { return std::isfinite(value); }));
    }
  }
}

TEST_P(SimulatedWorld, steps_without_allocating) {
  for (const int task : some_tasks()) {
    const Actions actions = shaking(task, 30);
    const std::shared_ptr<Environment> environment = make(task);
    environment->reset(drawn(task, 1));
    const int before = allocations;
    for (const std::vector<float>& action : actions) environment->step(action);
    EXPECT_EQ(allocations, before);
  }
}

TEST_P(SimulatedWorld, loses_an_episode_to_what_is_not_finite_and_goes_on_with_the_next) {
  for (const int task : some_tasks()) {
    const Actions actions = shaking(task, 10);
    const std::shared_ptr<Environment> environment = make(task);
    environment->reset(drawn(task, 1));
    const Observations sound = follow(*environment, actions);
    environment->reset(drawn(task, 1));
    std::vector<float> broken = no_action(task);
    broken[0] = std::numeric_limits<float>::quiet_NaN();
    StepResult step;
    for (int i = 0; i < 5 && !step.over(); ++i) step = environment->step(broken);
    EXPECT_TRUE(step.diverged);
    EXPECT_FALSE(step.success);
    environment->reset(drawn(task, 1));
    EXPECT_EQ(follow(*environment, actions), sound);
  }
}

TEST_P(SimulatedWorld, has_episodes_that_end_and_are_forgotten) {
  for (const int task : some_tasks()) {
    const std::shared_ptr<Environment> environment = make(task);
    environment->reset(drawn(task, 6));
    const EpisodeResult first = run_expert(*environment);
    EXPECT_GT(first.steps, 0);
    EXPECT_LE(first.steps, suite_->task(task).steps);
    EXPECT_TRUE(first.over() || first.steps == suite_->task(task).steps);
    environment->reset(drawn(task, 6));
    const EpisodeResult again = run_expert(*environment);
    EXPECT_EQ(again.steps, first.steps);
    EXPECT_EQ(again.reward, first.reward);
    EXPECT_EQ(again.success, first.success);
  }
}

TEST_P(SimulatedWorld, is_evaluated_to_the_same_bits_on_any_number_of_ranks) {
  const Comm world = MpiSession::world();
  std::vector<EpisodeSpec> jobs;
  for (const int task : some_tasks()) jobs.push_back({.task = task, .variation = drawn(task, 7)});
  EnvironmentPool environments(*suite_);
  Trials trials(jobs, environments);
  Trials again(jobs, environments);
  const auto together = evaluate(trials, expert_policy(), suite_->most_steps(), world);
  const auto alone = evaluate(again, expert_policy(), suite_->most_steps(), world.split(world.rank()));
  const auto from_stored_starts = evaluate(again, expert_policy(), suite_->most_steps(), world.split(world.rank()));
  ASSERT_EQ(together.size(), alone.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_EQ(together[i].success, alone[i].success);
    EXPECT_EQ(together[i].steps, alone[i].steps);
    EXPECT_EQ(together[i].reward, alone[i].reward);
    EXPECT_EQ(from_stored_starts[i].steps, alone[i].steps);
    EXPECT_EQ(from_stored_starts[i].reward, alone[i].reward);
  }
}

TEST_P(SimulatedWorld, has_demonstrations_of_the_same_bits_on_any_number_of_ranks_which_a_file_keeps) {
  const Comm world = MpiSession::world();
  const Comm self = world.split(world.rank());
  std::vector<int> tasks;  // two at most, which can be in one file
  for (const int task : some_tasks()) {
    const bool alike = tasks.empty() || suite_->sizes(task) == suite_->sizes(tasks.front());
    if (tasks.size() < 2 && alike) tasks.push_back(task);
  }
  const RecordingOptions options{.episodes = 2, .noise = 0.1, .seed = 9};
  EnvironmentPool environments(*suite_);
  const std::vector<Demonstration> together = record_demonstrations(tasks, options, environments, world);
  const std::vector<Demonstration> alone = record_demonstrations(tasks, options, environments, self);
  if (!world.is_root()) return;
  const Sizes& sizes = suite_->common_sizes(tasks);
  const Scratch scratch;
  const std::filesystem::path file = scratch.path() / "demos.h5";
  write_demonstrations(file,
                       {.episodes = together,
                        .provenance = {{"generator", generator_of(suite_->facts())},
                                       {"dataset_id", "one"},
                                       {"noise", "0.1"},
                                       {"seed", "9"},
                                       {"tasks", "some"}}},
                       sizes);
  EXPECT_TRUE(is_own_demonstrations(file));
  const std::vector<Demonstration> read = read_demonstrations({file}, sizes).episodes;
  ASSERT_EQ(together.size(), 2 * tasks.size());
  ASSERT_EQ(read.size(), together.size());
  for (std::size_t i = 0; i < together.size(); ++i) {
    EXPECT_EQ(together[i].task, suite_->label(tasks[i / 2]));
    EXPECT_EQ(together[i].observations.size(), (together[i].steps() + 1) * sizes.observation);
    EXPECT_EQ(together[i].actions.size(), together[i].steps() * sizes.action);
    for (const std::vector<Demonstration>* others : {&alone, &read}) {
      EXPECT_EQ(together[i].task, (*others)[i].task);
      EXPECT_EQ(together[i].observations, (*others)[i].observations);
      EXPECT_EQ(together[i].actions, (*others)[i].actions);
      EXPECT_EQ(together[i].rewards, (*others)[i].rewards);
      EXPECT_EQ(together[i].noise, (*others)[i].noise);
      EXPECT_EQ(together[i].attempts, (*others)[i].attempts);
    }
  }
}

}  // namespace
}  // namespace fleet::simulation
