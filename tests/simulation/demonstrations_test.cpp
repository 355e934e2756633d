#include "simulation/demonstrations.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "base/error.hpp"
#include "simulation/minari.hpp"

namespace fleet::simulation {
namespace {

namespace fs = std::filesystem;

constexpr Sizes kToySizes{.observation = 39, .action = 4};

Demonstration episode(std::size_t steps, float first) {
  Demonstration made{.task = "reach-v3", .ended = true, .noise = 0.25, .attempts = 2};
  for (std::size_t i = 0; i < (steps + 1) * kToySizes.observation; ++i) {
    made.observations.push_back(first + static_cast<float>(i));
  }
  for (std::size_t i = 0; i < steps * kToySizes.action; ++i) made.actions.push_back(-static_cast<float>(i) / 100);
  made.rewards.assign(steps, 0);
  made.rewards.back() = 1;
  return made;
}

class DemonstrationsTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = fs::temp_directory_path() / testing::UnitTest::GetInstance()->current_test_info()->name();
    set_ = {.episodes = {episode(7, 0), episode(3, 5)},
            .provenance = {
                {"dataset_id", "toys"}, {"generator", "test"}, {"noise", "0.25"}, {"seed", "1"}, {"tasks", "reach"}}};
  }
  void TearDown() override { fs::remove(path_); }

  std::string complaint() {
    try {
      static_cast<void>(read_demonstrations({path_}, kToySizes));
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }
  void expect_complaint(const std::vector<std::string>& parts) {
    const std::string said = complaint();
    EXPECT_NE(said.find(path_.string()), std::string::npos) << said;
    for (const std::string& part : parts) EXPECT_NE(said.find(part), std::string::npos) << part << " not in " << said;
  }

  fs::path path_;
  DemonstrationSet set_;
};

TEST_F(DemonstrationsTest, read_back_what_was_written) {
  write_demonstrations(path_, set_, kToySizes);
  const DemonstrationSet read = read_demonstrations({path_}, kToySizes);
  EXPECT_EQ(read.provenance, set_.provenance);
  ASSERT_EQ(read.episodes.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read.episodes[i].observations, set_.episodes[i].observations);
    EXPECT_EQ(read.episodes[i].actions, set_.episodes[i].actions);
    EXPECT_EQ(read.episodes[i].rewards, set_.episodes[i].rewards);
    EXPECT_EQ(read.episodes[i].task, "reach-v3");
    EXPECT_TRUE(read.episodes[i].ended);
    EXPECT_EQ(read.episodes[i].noise, 0.25);
    EXPECT_EQ(read.episodes[i].attempts, 2);
  }
}

TEST_F(DemonstrationsTest, that_do_not_say_their_task_are_of_the_one_that_is_named) {
  set_.episodes[0].task = "push-v3";
  write_demonstrations(path_, set_, kToySizes);
  EXPECT_TRUE(tell_their_tasks(path_));
  const DemonstrationSet named = read_demonstrations({path_, "drawer-open-v3"}, kToySizes);
  EXPECT_EQ(named.episodes[0].task, "push-v3") << "what they say themselves counts";
  EXPECT_EQ(named.episodes[1].task, "reach-v3");
}

TEST_F(DemonstrationsTest, of_a_folder_are_those_of_the_dataset_in_it) {
  const fs::path folder = fs::temp_directory_path() / "demonstrations_test-v0";
  prepare_minari_dataset(folder / "");
  write_minari_dataset(folder / "", set_, kToySizes);
  EXPECT_EQ(read_demonstrations({folder}, kToySizes).episodes[1].observations, set_.episodes[1].observations);
  EXPECT_EQ(read_demonstrations({folder / "data"}, kToySizes).provenance, set_.provenance);
  const MinariTotals totals = read_minari_totals(minari_file(folder));
  EXPECT_EQ(totals.episodes, 2);
  EXPECT_EQ(totals.steps, 10);
  fs::remove_all(folder);
}

TEST_F(DemonstrationsTest, refuse_a_file_cut_short) {
  write_demonstrations(path_, set_, kToySizes);
  fs::resize_file(path_, fs::file_size(path_) / 2);
  expect_complaint({"damaged"});
}

TEST_F(DemonstrationsTest, refuse_a_flipped_bit) {
  write_demonstrations(path_, set_, kToySizes);
  std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(fs::file_size(path_) / 2));
  const char byte = static_cast<char>(file.peek() ^ 1);
  file.seekp(file.tellg());
  file.put(byte);
  file.close();
  expect_complaint({"damaged"});
}

TEST_F(DemonstrationsTest, refuse_what_is_not_finite) {
  set_.episodes[1].actions[5] = std::numeric_limits<float>::infinity();
  write_demonstrations(path_, set_, kToySizes);
  expect_complaint({"episode_1/actions", "not finite"});
}

TEST_F(DemonstrationsTest, refuse_a_file_that_is_something_else) {
  std::ofstream(path_) << "not HDF5";
  expect_complaint({"not an HDF5 file"});
}

}  // namespace
}  // namespace fleet::simulation
