#include "control/suite.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "control/system.hpp"

namespace fleet::control {
namespace {

using simulation::Facts;
using simulation::StepResult;
using simulation::Suite;
using simulation::Variation;

constexpr std::string_view kName = "control";
constexpr Facts kFacts{.name = kName,
                       .title = "classic control",
                       .task_suffix = "",
                       .default_tasks = "cartpole",
                       .score = Facts::Score::kReward,
                       .pictures = false,
                       .body = kBody,
                       .disturbed = 1};

/// A variation is the state that an episode begins in, then the factors of the body.
class Environment final : public simulation::Environment {
 public:
  Environment(int task, const System& system) : task_(task), system_(system), observation_(system.observation) {}

  int task() const override { return task_; }
  void reset(const Variation& variation) override {
    variation_ = variation;
    std::copy_n(variation.begin(), system_.state, state_.begin());
    std::copy_n(variation.end() - kBody, kBody, body_.begin());
    look();
  }
  simulation::Start start() const override { return {.variation = variation_, .state = {}}; }
  void restore(const simulation::Start& start) override { reset(start.variation); }

  StepResult step(std::span<const float> action) override {
    if (!std::ranges::all_of(action, [](float value) { return std::isfinite(value); })) return {.diverged = true};
    const StepResult result = system_.step(body_, state(), action);
    look();
    return result;
  }
  std::span<const double> observation() const override { return observation_; }
  bool ask_expert(std::span<float> action) override {
    system_.expert(state(), action);
    return true;
  }

 private:
  std::span<double> state() { return std::span(state_).first(system_.state); }
  void look() { system_.observe(state(), observation_); }

  int task_;
  const System& system_;
  Variation variation_;
  std::array<double, kMostState> state_{};
  std::array<double, kBody> body_{};
  std::vector<double> observation_;
};

class Control final : public Suite {
 public:
  Control() {
    for (const System& system : system_table()) {
      tasks_.push_back({.name = std::string(system.name),
                        .steps = system.steps,
                        .sizes = {.observation = system.observation, .action = system.action},
                        .chooses = system.chooses});
    }
  }

  const Facts& facts() const override { return kFacts; }
  std::span<const simulation::Task> tasks() const override { return tasks_; }
  std::span<const simulation::TaskSet> task_sets() const override { return {}; }

  Variation draw(int task, RandomStream& stream) const override {
    const System& system = system_of(task);
    Variation variation(system.state + kBody, 1.0);
    system.draw(stream, std::span(variation).first(system.state));
    return variation;
  }
  std::shared_ptr<simulation::Environment> make_environment(int task, Detail /*detail*/) const override {
    return std::make_shared<Environment>(task, system_of(task));
  }

  std::string digest() const override { return "gymnasium 1.4"; }
  std::string engine() const override { return "fleet"; }

 private:
  static const System& system_of(int task) { return system_table()[static_cast<std::size_t>(task)]; }

  std::vector<simulation::Task> tasks_;
};

std::shared_ptr<const Suite> make(SettingsReader& /*settings*/, const std::filesystem::path& /*files*/) {
  return std::make_shared<Control>();
}

}  // namespace

const simulation::SuiteEntry& suite_entry() {
  static const simulation::SuiteEntry kEntry{.name = kName, .online = true, .options = {}, .make = make};
  return kEntry;
}

}  // namespace fleet::control
