// Classic control against gymnasium 1.4.0: what it did is in reference.txt, by record_reference.py.
#include "control/system.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace fleet::control {
namespace {

constexpr std::array<double, kBody> kAsPublished = {1, 1, 1};

const System& system_named(std::string_view name) {
  return *std::ranges::find(system_table(), name, &System::name);
}

/// What tells a system to do, of a choice's number or a share of the strongest torque.
std::vector<float> action_of(const System& system, double told) {
  std::vector<float> action(system.action);
  action[system.chooses ? static_cast<std::size_t>(told) : 0] = system.chooses ? 1.0F : static_cast<float>(told);
  return action;
}

TEST(ControlSystems, go_step_by_step_where_gymnasium_s_go) {
  std::ifstream file(REFERENCE_FILE);
  std::map<std::string, int> steps;
  std::map<std::string, int> ends;
  std::vector<double> state;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string kind;
    std::string name;
    words >> kind >> name;
    std::vector<double> numbers;
    for (double number = 0; words >> number;) numbers.push_back(number);
    if (kind == "start") {
      state = numbers;
      continue;
    }
    const System& system = system_named(name);
    const simulation::StepResult result = system.step(kAsPublished, state, action_of(system, numbers[0]));
    EXPECT_NEAR(result.reward, numbers[1], 1e-12) << name;
    EXPECT_EQ(result.terminated, numbers[2] != 0) << name;
    for (std::size_t i = 0; i < system.state; ++i) EXPECT_NEAR(state[i], numbers[3 + i], 1e-12) << name << ' ' << i;
    ++steps[name];
    ends[name] += result.terminated ? 1 : 0;
  }
  for (const System& system : system_table()) {  // what is seen of a system does not change its physics
    EXPECT_GE(steps[std::string(system.name.substr(0, system.name.find('-')))], 50) << system.name;
  }
  EXPECT_GT(ends["cartpole"], 0) << "no episode ended";
}

/// The mean return of a system's expert over fresh episodes.
double expert_return(const System& system, std::span<const double> body) {
  constexpr int kEpisodes = 50;
  double sum = 0;
  for (int episode = 0; episode < kEpisodes; ++episode) {
    RandomStream stream(static_cast<std::uint64_t>(episode), Purpose::kTest);
    std::vector<double> state(system.state);
    std::vector<float> action(system.action);
    system.draw(stream, state);
    simulation::StepResult result;
    for (int step = 0; step < system.steps && !result.over(); ++step) {
      system.expert(state, action);
      result = system.step(body, state, action);
      sum += result.reward;
    }
  }
  return sum / kEpisodes;
}

TEST(ControlSystems, are_mastered_by_their_experts) {
  EXPECT_EQ(expert_return(system_named("cartpole"), kAsPublished), 500);
  EXPECT_GT(expert_return(system_named("pendulum"), kAsPublished), -250);
  EXPECT_GT(expert_return(system_named("acrobot"), kAsPublished), -100) << "gymnasium's own threshold";
}

TEST(ControlSystems, have_bodies_that_differ_in_each_of_their_factors) {
  for (const System& system : system_table()) {
    std::vector<std::vector<double>> ends;
    for (std::size_t changed = 0; changed <= kBody; ++changed) {
      std::array<double, kBody> body = kAsPublished;
      if (changed < kBody) body[changed] = 1.5;
      RandomStream stream(1, Purpose::kTest);
      std::vector<double> state(system.state);
      system.draw(stream, state);
      for (int step = 0; step < 5; ++step) system.step(body, state, action_of(system, system.chooses ? 0 : 0.5));
      EXPECT_EQ(std::ranges::count(ends, state), 0) << system.name << ", factor " << changed;
      ends.push_back(state);
    }
  }
}

TEST(ControlSystems, are_observed_whole_or_without_their_speeds) {
  const std::array<double, 4> state = {0.1, 0.2, 0.3, 0.4};
  std::array<double, 6> seen{};
  system_named("cartpole").observe(state, seen);
  EXPECT_TRUE(std::equal(state.begin(), state.end(), seen.begin()));
  system_named("cartpole-positions").observe(state, seen);
  EXPECT_EQ(seen[0], 0.1) << "the cart's place";
  EXPECT_EQ(seen[1], 0.3) << "the pole's angle";
  system_named("pendulum").observe(std::span(state).first(2), seen);
  EXPECT_EQ(seen[0], std::cos(0.1));
  EXPECT_EQ(seen[1], std::sin(0.1));
  EXPECT_EQ(seen[2], 0.2);
  system_named("acrobot").observe(state, seen);
  EXPECT_EQ(seen, (std::array<double, 6>{std::cos(0.1), std::sin(0.1), std::cos(0.2), std::sin(0.2), 0.3, 0.4}));
}

}  // namespace
}  // namespace fleet::control
