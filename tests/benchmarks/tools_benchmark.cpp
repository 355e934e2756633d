// The world of tools: steps of an environment beside the bare simulator's on the same scene with the same torques, what
// seeing points costs, and whole episodes of the expert, planning included.
#include <cstdio>

#include "medians.hpp"
#include "simulation/rollout.hpp"
#include "tools/worlds.hpp"

namespace fleet::tools {
namespace {

constexpr int kSteps = 40;
constexpr std::uint64_t kScene = 3;

/// A family's environment, and what its expert does in kSteps steps, for an environment and for the bare simulator.
struct Tape {
  Tape(const Family& family, const ObservationOptions& options) : environment(0, family, options) {
    environment.reset(drawn(family, kScene));
    std::vector<float> action(kActionSize);
    for (int i = 0; i < kSteps && environment.ask_expert(action); ++i) {
      actions.push_back(action);
      environment.step(action);
    }
    environment.reset(drawn(family, kScene));
    state.assign(environment.data().qpos, environment.data().qpos + environment.model().nq);
  }
  /// Back to the beginning, without another scene.
  void rewind() {
    mj_resetData(&environment.model(), &environment.data());
    mju_copy(environment.data().qpos, state.data(), environment.model().nq);
    mj_forward(&environment.model(), &environment.data());
  }

  Environment environment;
  std::vector<std::vector<float>> actions;
  std::vector<double> state;
};

void environment_steps(benchmark::State& state, const Family& family, const ObservationOptions& options) {
  Tape tape(family, options);
  for ([[maybe_unused]] const auto _ : state) {
    tape.rewind();
    for (const std::vector<float>& action : tape.actions) tape.environment.step(action);
  }
  state.SetItemsProcessed(state.iterations() * kSteps);
}

std::vector<Joints>* noted = nullptr;  // where the torques of every simulator step go

/// mj_step() with the torques that the controller asked for at each: the same motion.
void bare_steps(benchmark::State& state, const Family& family) {
  Tape tape(family, {});
  mjModel& model = tape.environment.model();
  mjData& data = tape.environment.data();
  std::vector<Joints> torques;
  noted = &torques;
  // It is called in the first half of a step, before the torques of that step are there: it sees those of the last.
  mjcb_control = [](const mjModel*, mjData* now) { noted->emplace_back(Joints::Map(now->ctrl)); };
  tape.rewind();
  torques.clear();
  for (const std::vector<float>& action : tape.actions) tape.environment.step(action);
  mjcb_control = nullptr;
  torques.erase(torques.begin());
  torques.emplace_back(Joints::Map(data.ctrl));
  const std::vector<double> end(data.qpos, data.qpos + model.nq);
  for ([[maybe_unused]] const auto _ : state) {
    tape.rewind();
    for (const Joints& each : torques) {
      Joints::Map(data.ctrl) = each;
      mj_step(&model, &data);
    }
  }
  if (!std::equal(end.begin(), end.end(), data.qpos)) state.SkipWithError("the motion is another");
  state.SetItemsProcessed(state.iterations() * kSteps);
}

/// Scenes, plans and motion, another scene each time.
void expert_episodes(benchmark::State& state, const Family& family) {
  Environment environment(0, family, {});
  std::uint64_t seed = 0;
  for ([[maybe_unused]] const auto _ : state) {
    environment.reset(drawn(family, seed++));
    benchmark::DoNotOptimize(
        simulation::roll_out(environment, kActionSize, simulation::expert_policy(), {}, family.steps));
  }
  state.SetItemsProcessed(state.iterations());
}

class Ratios final : public Medians {
  void print_ratios() override {
    for (const auto& [name, text] : own_families()) {
      std::printf("%-8s %6.0f steps/s\n", name.c_str(), 1e9 * kSteps / median(name + "-steps"));
      print_rate(name + ", steps beside the bare simulator", name + "-steps", name + "-bare");
      print_rate(name + ", steps that see 2 x 64 points beside it", name + "-cloud", name + "-bare");
    }
  }
};

}  // namespace
}  // namespace fleet::tools

int main(int argc, char** argv) {
  using namespace fleet::tools;
  const std::vector<Family> families = all_families();
  const ObservationOptions cloud{.kind = ObservationOptions::Kind::kCloud, .points = 64};
  for (const Family& family : families) {
    const auto add = [&](const char* what, auto run) {
      benchmark::RegisterBenchmark((family.name + what).c_str(), run)->Unit(benchmark::kNanosecond);
    };
    add("-bare", [&family](benchmark::State& state) { bare_steps(state, family); });
    add("-steps", [&family](benchmark::State& state) { environment_steps(state, family, {}); });
    add("-cloud", [&family, &cloud](benchmark::State& state) { environment_steps(state, family, cloud); });
    add("-episode", [&family](benchmark::State& state) { expert_episodes(state, family); });
  }
  benchmark::Initialize(&argc, argv);
  Ratios reporter;
  benchmark::RunSpecifiedBenchmarks(&reporter);
  return 0;
}
