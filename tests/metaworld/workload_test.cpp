#include "simulation/workload.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.hpp"
#include "io/model_file.hpp"
#include "merge/average.hpp"
#include "metaworld/assets.hpp"
#include "metaworld/goals.hpp"
#include "metaworld/world.hpp"
#include "scratch.hpp"
#include "simulation/network_policy.hpp"
#include "simulation/recorder.hpp"
#include "train/round_loop.hpp"

namespace fleet::metaworld {
namespace {

namespace fs = std::filesystem;
using namespace simulation;
using simulation::Environment;

constexpr Sizes kSizes{.observation = kObservationSize, .action = kActionSize};

/// Reach and door-close, ten demonstrations each, in a file of all ranks' own.
class MetaworldFleet : public testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_METAWORLD_ASSETS();
    const std::shared_ptr<const Suite> of = suite();
    EnvironmentPool environments(*of);
    const DemonstrationSet set{.episodes = record_demonstrations(find_tasks("reach,door-close"),
                                                                 {.episodes = 10, .noise = 0.4}, environments, world_),
                               .provenance = {{"dataset_id", "metaworld/two/expert-v0"},
                                              {"generator", "test"},
                                              {"noise", "0.4"},
                                              {"seed", "0"},
                                              {"tasks", "reach,door-close"}}};
    std::string directory = scratch_.path().string();
    world_.broadcast(directory);
    file_ = fs::path(directory) / "demos.h5";
    world_.together([&] {
      if (world_.is_root()) write_demonstrations(file_, set, kSizes);
    });
  }
  void TearDown() override { world_.barrier(); }

  [[nodiscard]] Settings cell(const std::vector<std::pair<std::string, Value>>& values = {}) const {
    Settings settings;
    const auto set = [&](const std::string& key, Value value) {
      settings[key] = {.value = std::move(value), .source = {}};
    };
    set("data.demos", file_.string());
    set("data.tasks", std::string("reach,door-close"));
    set("data.one_hot", true);
    set("fleet.robots", std::int64_t{2});
    set("fleet.partition", std::string("iid"));  // so that every demonstration is some robot's
    set("evaluate.episodes", std::int64_t{4});
    set("evaluate.max_steps", std::int64_t{150});
    set("model.hidden", Value::List{Value(std::int64_t{64}), Value(std::int64_t{64})});
    set("train.batch_size", std::int64_t{64});
    set("train.schedule", std::string("cosine"));
    set("train.warmup_steps", std::int64_t{5});
    for (const auto& [key, value] : values) set(key, value);
    return settings;
  }
  std::unique_ptr<Workload> workload(const Settings& settings) {
    SettingsReader reader(settings);
    (void)metaworld_->describe(reader);
    const Settings* const cells[] = {&settings};
    metaworld_->load(cells, world_);
    return metaworld_->make(settings);
  }
  static std::vector<Metric> run(const FleetOptions& options, Regime regime, Workload& workload, const Comm& comm) {
    const Settings defaults;
    SettingsReader reader(defaults);
    const std::unique_ptr<Merger> average = make_average(reader);
    std::vector<Metric> metrics;
    run_cell(options, regime, regime == Regime::kMerge ? average.get() : nullptr, workload, comm,
             [&](const RoundRecord& record) {
               metrics.insert(metrics.end(), record.metrics.begin(), record.metrics.end());
             });
    return metrics;
  }
  static double merged(const std::vector<Metric>& metrics, std::string_view name) {
    double last = std::nan("");
    for (const Metric& metric : metrics) {
      if (metric.robot == kMergedPolicy && metric.name == name) last = metric.value;
    }
    return last;
  }
  std::string complaint(const Settings& settings) {
    SettingsReader reader(settings);
    try {
      (void)metaworld_->describe(reader);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "described";
  }

  Comm world_ = MpiSession::world();
  Scratch scratch_;
  fs::path file_;
  std::unique_ptr<World> metaworld_ = metaworld_world().make();
};

TEST_F(MetaworldFleet, is_the_same_on_any_number_of_ranks_whatever_the_network) {
  for (const char* kind : {"mlp", "rnn", "transformer"}) {
    std::vector<std::pair<std::string, Value>> values{{"model.kind", std::string(kind)},
                                                      {"data.window", std::int64_t{8}},
                                                      {"evaluate.episodes", std::int64_t{2}},
                                                      {"evaluate.max_steps", std::int64_t{40}}};
    if (std::string_view(kind) == "rnn") values.emplace_back("model.hidden", Value::List{Value(std::int64_t{32})});
    const std::unique_ptr<Workload> cloning = workload(cell(values));
    EXPECT_EQ(cloning->metrics().front(), "success");
    const FleetOptions options{.robots = 2, .epochs = 2, .merge_every = 1};
    const std::vector<Metric> together = run(options, Regime::kMerge, *cloning, world_);
    const std::vector<Metric> alone = run(options, Regime::kMerge, *cloning, world_.split(world_.rank()));
    ASSERT_EQ(together.size(), alone.size());
    for (std::size_t i = 0; i < alone.size(); ++i) {
      EXPECT_EQ(together[i].name, alone[i].name);
      EXPECT_EQ(together[i].value, alone[i].value) << kind << ", " << together[i].name << " of " << together[i].robot;
    }
  }
}

TEST_F(MetaworldFleet, a_policy_with_a_memory_learns_to_reach_and_to_close_a_door) {
  const std::unique_ptr<Workload> cloning = workload(cell({{"model.kind", std::string("rnn")},
                                                           {"data.window", std::int64_t{8}},
                                                           {"train.learning_rate", 3e-3},
                                                           {"train.batch_size", std::int64_t{16}}}));
  const std::vector<Metric> schooled =
      run({.robots = 2, .epochs = 80, .merge_every = 0}, Regime::kJoint, *cloning, world_);
  EXPECT_GT(merged(schooled, "success"), 0.5);
}

TEST_F(MetaworldFleet, learns_to_reach_and_to_close_a_door) {
  const std::unique_ptr<Workload> cloning = workload(cell());
  const double unschooled = merged(run({.robots = 2, .epochs = 1}, Regime::kJoint, *cloning, world_), "loss");
  const std::vector<Metric> schooled =
      run({.robots = 2, .epochs = 60, .merge_every = 0}, Regime::kJoint, *cloning, world_);
  EXPECT_LT(merged(schooled, "loss"), 0.5 * unschooled);
  EXPECT_GT(merged(schooled, "success"), 0.5);
  EXPECT_EQ(merged(schooled, "diverged"), 0.0);
  EXPECT_DOUBLE_EQ(merged(schooled, "success"),
                   (merged(schooled, "success_reach") + merged(schooled, "success_door-close")) / 2);
}

TEST_F(MetaworldFleet, a_saved_policy_acts_without_the_fleet) {
  Settings settings = cell();
  const std::unique_ptr<Workload> cloning = workload(settings);
  SettingsReader reader(settings);
  (void)metaworld_->describe(reader);
  const CellResult trained = run_cell({.robots = 2, .epochs = 60, .merge_every = 0}, Regime::kJoint, nullptr, *cloning,
                                      world_, [](const RoundRecord&) {});
  settings["workload"].value = std::string("metaworld");
  settings["run.device"].value = std::string("cuda");  // that of another machine
  const fs::path file = file_.parent_path() / cat("policy-", world_.rank(), ".h5");
  write_model(file,
              {.settings = settings,
               .companions = cloning->companions(),
               .symmetry = cloning->symmetry(),
               .weights = *trained.merged},
              {});
  const auto [acted_in, policy, only] = load_policy(file, suite_entry());
  EXPECT_TRUE(only.empty());  // all tasks have the same observations and actions
  EnvironmentPool environments(*acted_in);
  RandomStream stream(1, Purpose::kTest);
  int successes = 0;
  for (const int task : find_tasks("reach,door-close")) {
    for (int episode = 0; episode < 5; ++episode) {
      Environment& environment = environments.environment(task);
      environment.reset(acted_in->draw(task, stream));
      successes += roll_out(environment, policy, 150).success ? 1 : 0;
    }
  }
  EXPECT_GT(successes, 5);
  Environment& unknown = environments.environment(task_named("push"));
  unknown.reset(acted_in->draw(task_named("push"), stream));
  EXPECT_THROW((void)roll_out(unknown, policy), ConfigError) << "it has no number for push";
}

TEST_F(MetaworldFleet, counts_an_episode_that_the_simulator_gives_up_as_a_failure) {
  const std::unique_ptr<Workload> cloning = workload(cell());
  ParamVector weights(cloning->symmetry().layout());
  std::ranges::fill(weights.flat(), std::nanf(""));
  std::vector<Score> scores;
  for (int part = 0; part < cloning->test_parts(); ++part) {
    std::ranges::copy(cloning->test_scores(weights, part), std::back_inserter(scores));
  }
  const std::vector<NamedValue> summary = cloning->summarize(scores);
  EXPECT_EQ(summary[0].value, 0.0);
  EXPECT_EQ(summary[1].name, "diverged");
  EXPECT_EQ(summary[1].value, 1.0);
}

TEST_F(MetaworldFleet, of_twenty_successes_in_twenty_episodes_the_rate_is_one) {
  const std::unique_ptr<Workload> cloning = workload(cell({{"evaluate.episodes", std::int64_t{20}}}));
  std::vector<Score> scores;
  for (int part = 0; part < cloning->test_parts(); ++part) {
    scores.insert(scores.end(), {{1.0, 1.0}, {0.0, 1.0}, {0.0, 1.0}});
  }
  for (const NamedValue& value : cloning->summarize(scores)) {
    if (!value.name.starts_with("success")) continue;
    EXPECT_EQ(value.value, 1.0) << value.name;
  }
}

TEST_F(MetaworldFleet, an_episode_begins_alike_whichever_cell_has_settled_it) {
  const std::unique_ptr<Workload> first = workload(cell());
  const std::unique_ptr<Workload> second = workload(cell());
  ParamVector weights(first->symmetry().layout());
  std::ranges::fill(weights.flat(), 0.01F);
  for (int part = 0; part < first->test_parts(); ++part) {
    const std::vector<Score> settled = first->test_scores(weights, part);
    const std::vector<Score> started = second->test_scores(weights, part);
    for (std::size_t m = 0; m < settled.size(); ++m) EXPECT_EQ(settled[m].sum, started[m].sum);
  }
}

TEST_F(MetaworldFleet, finetunes_on_what_its_robots_hold_back) {
  const auto samples = [&](double held_out) {
    const std::unique_ptr<Workload> cloning = workload(cell({{"data.held_out", held_out}}));
    const std::int64_t back = cloning->make_finetune_robot()->samples();
    return std::pair(back, back + cloning->make_joint_robot()->samples());
  };
  EXPECT_GT(samples(0.4).first, samples(0.2).first);
  EXPECT_EQ(samples(0.4).second, samples(0.2).second);
}

TEST_F(MetaworldFleet, no_two_robots_learn_from_one_demonstration) {
  const DemonstrationSet set = read_demonstrations({file_}, kSizes);
  const std::unique_ptr<Workload> cloning = workload(cell({{"fleet.robots", std::int64_t{18}}}));
  std::multiset<std::int64_t> steps;  // of every robot's share of every task: a demonstration, or none
  for (int robot = 0; robot < 18; ++robot) {
    for (const std::int64_t rows : cloning->histogram(robot)) {
      if (rows > 0) steps.insert(rows);
    }
  }
  std::multiset<std::int64_t> demonstrations;
  for (const Demonstration& episode : set.episodes) demonstrations.insert(static_cast<std::int64_t>(episode.steps()));
  EXPECT_TRUE(std::ranges::includes(demonstrations, steps));
  EXPECT_GE(steps.size(), 14U);  // 20, less those tested on and held out
}

TEST_F(MetaworldFleet, there_is_a_sample_for_every_robot_or_the_setting_is_refused) {
  for (const std::string kind : {"mixture", "per-class", "iid"}) {
    const auto of = [&](std::int64_t robots) {
      Settings settings = cell({{"fleet.robots", robots}, {"fleet.partition", kind}});
      settings["fleet.robots"].source = {"sweep.toml", 7, 3};
      return complaint(settings);
    };
    const std::string many = of(1'000'000);
    const std::string before = "are to train on: expected at most ";
    EXPECT_TRUE(many.starts_with("sweep.toml:7:3: fleet.robots = 1000000: ")) << many;
    ASSERT_NE(many.find(before), std::string::npos) << many;
    const std::int64_t most = std::stoll(many.substr(many.find(before) + before.size()));
    EXPECT_EQ(of(most), "described");
    EXPECT_NE(of(most + 1), "described");
  }
}

TEST_F(MetaworldFleet, other_demonstrations_make_other_cells) {
  const Settings settings = cell();
  const auto data = [&] {
    SettingsReader reader(settings);
    return metaworld_world().make()->describe(reader).data;
  };
  const std::string before = data();
  EXPECT_EQ(data(), before);
  world_.barrier();
  DemonstrationSet set = read_demonstrations({file_}, kSizes);
  set.episodes.front().actions.front() += 0.01F;
  world_.together([&] {
    if (world_.is_root()) write_demonstrations(file_, set, kSizes);
  });
  world_.barrier();
  EXPECT_NE(data(), before);
}

TEST_F(MetaworldFleet, demonstrations_that_changed_since_the_plan_are_refused) {
  const Settings settings = cell();
  SettingsReader reader(settings);
  (void)metaworld_->describe(reader);
  world_.barrier();
  world_.together([&] {
    if (!world_.is_root()) return;
    DemonstrationSet set = read_demonstrations({file_}, kSizes);
    set.episodes.pop_back();
    write_demonstrations(file_, set, kSizes);
  });
  const Settings* const cells[] = {&settings};
  metaworld_->load(cells, world_);
  try {
    (void)metaworld_->make(settings);
    FAIL() << "made of other demonstrations";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("has changed since the sweep was planned"), std::string::npos);
  }
}

TEST_F(MetaworldFleet, says_how_to_get_the_demonstrations_it_lacks) {
  const std::string command = "fleet metaworld demos --tasks reach,door-close";
  EXPECT_NE(complaint(cell({{"data.demos", std::string("/nonexistent.h5")}})).find(command), std::string::npos);
  const std::string other = complaint(cell({{"data.tasks", std::string("reach,push")}}));
  EXPECT_NE(other.find("0 demonstrations of push-v3"), std::string::npos) << other;
  EXPECT_NE(complaint(cell({{"data.tasks", std::string("reech")}})).find("reach"), std::string::npos);
  EXPECT_NE(complaint(cell({{"data.tasks", std::string("reach,reach")}})).find("twice"), std::string::npos);
  const std::string window = complaint(cell({{"model.kind", std::string("rnn")}, {"data.window", std::int64_t{400}}}));
  EXPECT_NE(window.find("data.window = 400: "), std::string::npos) << window;
  EXPECT_NE(window.find("the shortest has"), std::string::npos) << window;
}

}  // namespace
}  // namespace fleet::metaworld
