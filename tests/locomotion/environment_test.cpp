// Bodies against gymnasium 1.4.0 on MuJoCo 3.3.0: what it did is in reference.txt, by record_reference.py.
#include "locomotion/environment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>

#include "base/error.hpp"
#include "locomotion/suite.hpp"

namespace fleet::locomotion {
namespace {

/// A skip where the scenes are not to be had.
class Bodies : public testing::Test {
 protected:
  void SetUp() override {
    try {
      (void)suite("v4")->digest();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
  static std::shared_ptr<const simulation::Suite> suite(const std::string& version) {
    const Settings settings{{"data.version", Setting{Value(version), {}}}};
    SettingsReader reader(settings);
    return suite_entry().make(reader, {});
  }
  static std::shared_ptr<simulation::Environment> make(const std::string& body, const std::string& version = "v4") {
    const std::shared_ptr<const simulation::Suite> all = suite(version);
    return all->make_environment(all->find_tasks(body).front(), simulation::Suite::Detail::kPhysics);
  }
};

std::vector<double> numbers_of(std::istream& words) {
  std::vector<double> numbers;
  for (double number = 0; words >> number;) numbers.push_back(number);
  return numbers;
}

TEST_F(Bodies, go_step_by_step_where_gymnasium_s_go) {
  std::ifstream file(REFERENCE_FILE);
  std::map<std::string, int> steps;
  std::map<std::string, int> ends;
  std::shared_ptr<simulation::Environment> body;
  std::string last;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind;
    std::string name;
    words >> kind >> name;
    const std::vector<double> numbers = numbers_of(words);
    if (name != last) body = make(name.substr(0, name.find('-')), name.substr(name.find('-') + 1));
    last = name;
    const std::span<const double> seen = body->observation();
    const auto expect_seen = [&](std::size_t from) {
      ASSERT_EQ(numbers.size(), from + seen.size()) << name;
      for (std::size_t i = 0; i < seen.size(); ++i) EXPECT_NEAR(seen[i], numbers[from + i], 1e-12) << name << ' ' << i;
    };
    if (kind == "start") {
      const std::size_t state = numbers.size() - seen.size();
      simulation::Variation variation(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(state));
      variation.insert(variation.end(), kFactors, 1.0);
      body->reset(variation);
      expect_seen(state);
      continue;
    }
    const std::size_t motors = numbers.size() - 2 - seen.size();
    const std::vector<float> action(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(motors));
    const simulation::StepResult result = body->step(action);
    EXPECT_NEAR(result.reward, numbers[motors], 1e-12) << name;
    EXPECT_EQ(result.terminated, numbers[motors + 1] != 0) << name;
    expect_seen(motors + 2);
    ++steps[name];
    ends[name] += result.terminated ? 1 : 0;
  }
  EXPECT_EQ(steps.size(), 8U);
  for (const auto& [name, count] : steps) EXPECT_GE(count, 30) << name;
  EXPECT_GT(ends["walker2d-v4"], 0) << "no episode ended";
  EXPECT_GT(ends["walker2d-v5"], 0) << "no episode ended";
}

TEST_F(Bodies, differ_in_mass_friction_and_gear_and_are_themselves_again) {
  for (const char* name : {"halfcheetah", "ant"}) {
    const std::shared_ptr<simulation::Environment> body = make(name);
    const auto end_of = [&](std::array<double, kFactors> factors) {
      RandomStream stream(3, Purpose::kTest);
      simulation::Variation variation = suite("v4")->draw(body->task(), stream);
      std::ranges::copy(factors, variation.end() - kFactors);
      body->reset(variation);
      std::vector<float> action(suite("v4")->sizes(body->task()).action, 0.7F);
      for (int step = 0; step < 30; ++step) body->step(action);
      return std::vector<double>(body->observation().begin(), body->observation().end());
    };
    const std::vector<double> published = end_of({1, 1, 1});
    for (const std::array<double, kFactors> factors : {std::array{1.3, 1.0, 1.0}, {1.0, 0.5, 1.0}, {1.0, 1.0, 0.8}}) {
      EXPECT_NE(end_of(factors), published) << name;
    }
    EXPECT_EQ(end_of({1, 1, 1}), published) << name;
  }
}

TEST_F(Bodies, are_refused_where_the_scene_is_another_s) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "bodies";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "hopper.xml")
      << "<mujoco><worldbody><body><freejoint/><geom size='1'/></body></worldbody></mujoco>";
  const Settings defaults;
  SettingsReader reader(defaults);
  const std::shared_ptr<const simulation::Suite> all = suite_entry().make(reader, folder);
  const auto say = [&](const char* body) -> std::string {
    try {
      (void)all->make_environment(all->find_tasks(body).front(), simulation::Suite::Detail::kPhysics);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(say("hopper").find("is not the scene of hopper"), std::string::npos) << say("hopper");
  EXPECT_NE(say("ant").find("there is no file"), std::string::npos) << say("ant");
}

}  // namespace
}  // namespace fleet::locomotion
