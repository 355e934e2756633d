// The world of locomotion: steps of an environment beside the bare simulator's on the same scene with the same torques.
// gymnasium_steps.py measures gymnasium's.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "locomotion/environment.hpp"
#include "locomotion/suite.hpp"
#include "medians.hpp"

namespace fleet::locomotion {
namespace {

constexpr int kPlayed = 100;  // steps, in which nobody falls far

/// A body at its start, and what it does: slow swings.
struct Tape {
  explicit Tape(int task) : body(body_table()[static_cast<std::size_t>(task)]) {
    const Settings none;
    SettingsReader reader(none);
    suite = suite_entry().make(reader, {});
    made = suite->make_environment(task, simulation::Suite::Detail::kPhysics);
    environment = dynamic_cast<Environment*>(made.get());
    RandomStream stream(1, Purpose::kRollout);
    variation = suite->draw(task, stream);
    for (int step = 0; step < kPlayed; ++step) {
      std::vector<float>& action = actions.emplace_back(static_cast<std::size_t>(body.motors));
      for (int i = 0; i < body.motors; ++i) {
        action[static_cast<std::size_t>(i)] = static_cast<float>(0.5 * std::sin(0.3 * step + i));
      }
    }
  }

  const Body& body;
  std::shared_ptr<const simulation::Suite> suite;
  std::shared_ptr<simulation::Environment> made;
  Environment* environment;
  simulation::Variation variation;
  std::vector<std::vector<float>> actions;
};

void environment_steps(benchmark::State& state, int task) {
  Tape tape(task);
  for ([[maybe_unused]] const auto _ : state) {
    tape.environment->reset(tape.variation);
    for (const std::vector<float>& action : tape.actions) tape.environment->step(action);
  }
}

void bare_steps(benchmark::State& state, int task) {
  Tape tape(task);
  tape.environment->reset(tape.variation);
  for (const std::vector<float>& action : tape.actions) tape.environment->step(action);
  const std::vector<double> end(tape.environment->data().qpos,
                                tape.environment->data().qpos + tape.environment->model().nq);
  const mjModel& model = *tape.environment->physics().model;
  mjData& data = *tape.environment->physics().data;
  for ([[maybe_unused]] const auto _ : state) {
    tape.environment->reset(tape.variation);
    for (const std::vector<float>& action : tape.actions) {
      std::ranges::copy(action, data.ctrl);
      for (int k = 0; k < tape.body.frame_skip; ++k) mj_step(&model, &data);
    }
  }
  if (!std::equal(end.begin(), end.end(), data.qpos)) state.SkipWithError("the motion is another");
}

class Ratios final : public Medians {
  void print_ratios() override {
    for (const Body& body : body_table()) {
      const std::string name(body.name);
      std::printf("%-12s %6.0f steps/s\n", name.c_str(), 1e9 * kPlayed / median(name + "-steps"));
      print_rate(name + ", steps beside the bare simulator", name + "-steps", name + "-bare");
    }
  }
};

}  // namespace
}  // namespace fleet::locomotion

int main(int argc, char** argv) {
  using namespace fleet::locomotion;
  for (int task = 0; task < static_cast<int>(body_table().size()); ++task) {
    const std::string name(body_table()[static_cast<std::size_t>(task)].name);
    const auto add = [&](const char* what, auto run) {
      benchmark::RegisterBenchmark((name + what).c_str(), run)->Unit(benchmark::kNanosecond);
    };
    add("-bare", [task](benchmark::State& state) { bare_steps(state, task); });
    add("-steps", [task](benchmark::State& state) { environment_steps(state, task); });
  }
  benchmark::Initialize(&argc, argv);
  Ratios reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return 0;
}
