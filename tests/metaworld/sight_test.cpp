// Policies that see through an encoder: the world is the same, and what is observed is pictures of now and before.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "complaint.hpp"
#include "io/model_file.hpp"
#include "merge/average.hpp"
#include "metaworld/assets.hpp"
#include "metaworld/world.hpp"
#include "scratch.hpp"
#include "simulation/network_policy.hpp"
#include "simulation/recorder.hpp"
#include "simulation/workload.hpp"
#include "torch/encoder_file.hpp"
#include "train/round_loop.hpp"

namespace fleet::metaworld {
namespace {

namespace fs = std::filesystem;
using namespace simulation;
using simulation::Environment;
using simulation::Variation;

constexpr std::size_t kOwn = 4;
constexpr std::size_t kFeatures = 3 * 4 * 4;  // of pictures of 32 x 32

/// Two encoders in a directory that all ranks share.
class SeenMetaworld : public testing::Test {
 protected:
  void SetUp() override {
    REQUIRE_METAWORLD_ASSETS();
    std::string directory = scratch_.path().string();
    world_.broadcast(directory);
    home_ = directory;
    world_.together([&] {
      if (!world_.is_root()) return;
      write_encoder(home_ / "eye.pt", "torch.avg_pool2d(x, [8, 8]).flatten(1)");
      write_encoder(home_ / "other.pt", "torch.max_pool2d(x, [8, 8]).flatten(1)");
    });
  }
  void TearDown() override { world_.barrier(); }

  [[nodiscard]] Settings sight(std::int64_t frames = 1, std::int64_t cameras = 1) const {
    Settings settings;
    settings["data.encoder"].value = (home_ / "eye.pt").string();
    settings["data.images"].value = std::int64_t{32};
    settings["data.frames"].value = frames;
    settings["data.cameras"].value = cameras;
    return settings;
  }
  static std::shared_ptr<const Suite> suite_of(const Settings& settings) {
    SettingsReader reader(settings);
    return suite_entry().make(reader, {});
  }
  [[nodiscard]] Variation variation(std::uint64_t draw) const {
    RandomStream stream(3, Purpose::kTest, 0, draw);
    return suite()->draw(task_named("reach"), stream);
  }
  static std::vector<double> copy_of(std::span<const double> numbers) { return {numbers.begin(), numbers.end()}; }

  /// Demonstrations of reach, seen by `suite`, in a file of all ranks.
  fs::path record(const Suite& suite, const std::string& name) const {
    EnvironmentPool environments(suite);
    const std::vector<int> tasks = suite.find_tasks("reach");
    const DemonstrationSet set{
        .episodes = record_demonstrations(tasks, {.episodes = 6, .noise = 0.2}, environments, world_),
        .provenance = {{"generator", generator_of(suite.facts())}, {"sight", suite.sight()}}};
    const fs::path file = home_ / name;
    world_.together([&] {
      if (world_.is_root()) write_demonstrations(file, set, suite.common_sizes(tasks));
    });
    return file;
  }
  [[nodiscard]] Settings cell(const fs::path& file) const {
    Settings settings = sight(2);
    const auto set = [&](const char* key, Value value) { settings[key].value = std::move(value); };
    set("workload", std::string("metaworld"));
    set("data.demos", file.string());
    set("data.tasks", std::string("reach"));
    set("fleet.robots", std::int64_t{2});
    set("fleet.partition", std::string("iid"));
    set("evaluate.episodes", std::int64_t{2});
    set("evaluate.max_steps", std::int64_t{10});
    set("model.hidden", Value::List{Value(std::int64_t{16})});
    return settings;
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
  fs::path home_;
  std::unique_ptr<World> metaworld_ = metaworld_world().make();
};

TEST_F(SeenMetaworld, moves_as_it_does_unseen_and_shows_the_robot_alone) {
  const std::shared_ptr<const Suite> seen = suite_of(sight());
  const int task = task_named("reach");
  ASSERT_EQ(seen->sizes(task).observation, kOwn + kFeatures);
  const std::shared_ptr<Environment> seeing = seen->make_environment(task, Suite::Detail::kPhysics);
  const std::shared_ptr<Environment> blind = suite()->make_environment(task, Suite::Detail::kPhysics);
  seeing->reset(variation(0));
  blind->reset(variation(0));
  std::vector<float> wanted(kActionSize);
  std::vector<float> action(kActionSize);
  for (int step = 0; step < 60; ++step) {
    ASSERT_TRUE(std::ranges::equal(seeing->observation().first(kOwn), blind->observation().first(kOwn)));
    for (const double feature : seeing->observation().subspan(kOwn)) {
      ASSERT_GE(feature, 0.0);
      ASSERT_LE(feature, 1.0);
    }
    ASSERT_TRUE(blind->ask_expert(wanted));
    ASSERT_TRUE(seeing->ask_expert(action));
    ASSERT_EQ(action, wanted);
    const StepResult there = blind->step(wanted);
    const StepResult here = seeing->step(action);
    ASSERT_EQ(here.reward, there.reward);
    ASSERT_EQ(here.success, there.success);
    if (here.over()) break;
  }
}

TEST_F(SeenMetaworld, sees_what_it_saw_a_step_before_beside_what_it_sees) {
  const int task = task_named("reach");
  for (const std::int64_t cameras : {1, 2}) {
    const std::shared_ptr<Environment> one =
        suite_of(sight(1, cameras))->make_environment(task, Suite::Detail::kPhysics);
    const std::shared_ptr<Environment> three =
        suite_of(sight(3, cameras))->make_environment(task, Suite::Detail::kPhysics);
    const std::size_t seen = kFeatures * static_cast<std::size_t>(cameras);
    for (Environment* each : {one.get(), three.get()}) each->reset(variation(1));
    std::vector<std::vector<double>> before(3, copy_of(one->observation().subspan(kOwn)));
    const std::vector<float> push = {1, -0.5, 0.3F, -1};
    for (int step = 0; step < 6; ++step) {
      for (std::size_t age = 0; age < 3; ++age) {
        EXPECT_EQ(copy_of(three->observation().subspan(kOwn + age * seen, seen)), before[age]) << step << ' ' << age;
      }
      for (Environment* each : {one.get(), three.get()}) (void)each->step(push);
      before.insert(before.begin(), copy_of(one->observation().subspan(kOwn)));
    }
    EXPECT_NE(before[0], before[5]) << "it has moved";
  }
}

TEST_F(SeenMetaworld, environments_that_take_turns_see_what_each_would_see_alone) {
  const std::shared_ptr<const Suite> seen = suite_of(sight());
  const auto looks = [&](Environment& environment, std::uint64_t draw) {
    environment.reset(variation(draw));
    return copy_of(environment.observation());
  };
  std::vector<std::vector<double>> alone;
  for (const std::uint64_t draw : {2, 3}) {
    alone.push_back(looks(*seen->make_environment(task_named("reach"), Suite::Detail::kPhysics), draw));
  }
  EXPECT_NE(alone[0], alone[1]);
  const std::shared_ptr<Environment> a = seen->make_environment(task_named("reach"), Suite::Detail::kPhysics);
  const std::shared_ptr<Environment> b = seen->make_environment(task_named("reach"), Suite::Detail::kPhysics);
  EXPECT_EQ(looks(*a, 2), alone[0]);
  EXPECT_EQ(looks(*b, 3), alone[1]);
  EXPECT_EQ(looks(*a, 3), alone[1]);
  const Start start = a->start();
  (void)a->step(std::vector<float>{1, 1, 1, 1});
  a->restore(start);
  EXPECT_EQ(copy_of(a->observation()), alone[1]);
}

/// Other episodes of a scene move the drawer, too.
TEST_F(SeenMetaworld, an_episode_that_is_begun_again_shows_its_own_objects) {
  const std::shared_ptr<const Suite> seen = suite_of(sight());
  const int task = task_named("drawer-open");
  const std::shared_ptr<Environment> environment = seen->make_environment(task, Suite::Detail::kPhysics);
  RandomStream stream(4, Purpose::kTest);
  std::vector<Start> starts;
  std::vector<std::vector<double>> looks;
  for (int episode = 0; episode < 2; ++episode) {
    environment->reset(seen->draw(task, stream));
    starts.push_back(environment->start());
    looks.push_back(copy_of(environment->observation()));
    (void)environment->step(std::vector<float>{1, 0, 0, 0});
  }
  EXPECT_NE(looks[0], looks[1]);
  for (const std::size_t episode : {0U, 1U, 0U}) {
    environment->restore(starts[episode]);
    EXPECT_EQ(copy_of(environment->observation()), looks[episode]) << episode;
  }
}

TEST_F(SeenMetaworld, a_fleet_is_the_same_on_any_number_of_ranks) {
  const std::shared_ptr<const Suite> seen = suite_of(sight(2));
  const Settings settings = cell(record(*seen, "seen.h5"));
  SettingsReader reader(settings);
  (void)metaworld_->describe(reader);
  const Settings* const cells[] = {&settings};
  metaworld_->load(cells, world_);
  const std::unique_ptr<Workload> cloning = metaworld_->make(settings);
  const auto run = [&](const Comm& comm) {
    const Settings defaults;
    SettingsReader options(defaults);
    const std::unique_ptr<Merger> average = make_average(options);
    std::vector<double> values;
    run_cell({.robots = 2, .epochs = 2, .merge_every = 1}, Regime::kMerge, average.get(), *cloning, comm,
             [&](const RoundRecord& record) {
               for (const Metric& metric : record.metrics) values.push_back(metric.value);
             });
    return values;
  };
  const std::vector<double> together = run(world_);
  EXPECT_FALSE(together.empty());
  EXPECT_EQ(together, run(world_.split(world_.rank())));
}

TEST_F(SeenMetaworld, what_cannot_be_seen_through_or_was_seen_otherwise_is_refused) {
  const fs::path states = record(*suite(), "states.h5");
  const fs::path seen = record(*suite_of(sight(2)), "seen.h5");
  expect_says(complaint(cell(states)),
              {"states.h5: its observations are of the state, those of this sweep are features "
               "of pictures (encoder ",
               "frames 2", "--encoder "});
  EXPECT_EQ(complaint(cell(seen)), "described");
  const auto with = [&](const char* key, Value value) {
    Settings settings = cell(seen);
    settings[key].value = std::move(value);
    return complaint(settings);
  };
  expect_says(with("data.encoder", (home_ / "other.pt").string()), {"seen.h5: its observations are features"});
  expect_says(with("data.frames", std::int64_t{1}), {"seen.h5: its observations are features"});
  expect_says(with("data.encoder", std::string()), {"data.images = 32", "only through a data.encoder"});
  expect_says(with("data.encoder", (home_ / "none.pt").string()), {"data.encoder", "none.pt: there is no such file"});
  expect_says(with("data.encoder", seen.string()), {"data.encoder", "not a TorchScript module"});
}

TEST_F(SeenMetaworld, other_textures_make_another_world_to_those_who_see_it) {
  const fs::path scenes = home_ / cat("scenes", world_.rank());
  fs::copy(default_assets(), scenes, fs::copy_options::recursive);
  const auto digest = [&](const Settings& settings) {
    SettingsReader reader(settings);
    return suite_entry().make(reader, scenes)->digest();
  };
  const std::string felt = digest({});
  const std::string seen = digest(sight());
  EXPECT_EQ(felt, suite()->digest());
  EXPECT_EQ(seen, suite_of(sight())->digest());
  fs::copy_file(scenes / "scene/textures/wood.png", scenes / "scene/textures/metal.png",
                fs::copy_options::overwrite_existing);
  EXPECT_EQ(digest({}), felt);
  EXPECT_NE(digest(sight()), seen);
}

TEST_F(SeenMetaworld, a_saved_policy_is_refused_behind_another_encoder) {
  Settings settings = cell(record(*suite_of(sight(2)), "seen.h5"));
  SettingsReader reader(settings);
  (void)metaworld_->describe(reader);
  const Settings* const cells[] = {&settings};
  metaworld_->load(cells, world_);
  const std::unique_ptr<Workload> cloning = metaworld_->make(settings);
  const fs::path file = home_ / cat("policy-", world_.rank(), ".h5");
  const auto save = [&] {
    write_model(file,
                {.settings = settings,
                 .companions = cloning->companions(),
                 .symmetry = cloning->symmetry(),
                 .weights = ParamVector(cloning->symmetry().layout())},
                {});
  };
  save();
  EXPECT_EQ(load_policy(file, suite_entry()).suite->sizes(0).observation, kOwn + 2 * kFeatures);
  fs::copy_file(home_ / "eye.pt", home_ / cat("moved-", world_.rank(), ".pt"));
  settings["data.encoder"].value = (home_ / "other.pt").string();
  save();
  EXPECT_NO_THROW((void)load_policy(file, suite_entry(), {}, home_ / cat("moved-", world_.rank(), ".pt")));
  try {
    (void)load_policy(file, suite_entry());
    FAIL() << "loaded";
  } catch (const Error& error) {
    expect_says(error.what(), {"another encoder"});
  }
}

}  // namespace
}  // namespace fleet::metaworld
