// Steps of an environment against the simulator's steps that it cannot do without: five of mj_step and one mj_forward
// on the same scene, in turns in one run, from the same starts.  usage: metaworld_benchmark [TASKS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

#include "metaworld/environment.hpp"
#include "metaworld/experts.hpp"
#include "metaworld/goals.hpp"
#include "metaworld/suite.hpp"
#include "ratios.hpp"

namespace fleet::metaworld {
namespace {

constexpr int kTurns = 15;
constexpr int kSteps = 60;

/// Processor time of this process: other programs do not count.
double seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Act>
double timed(Act act) {
  const double start = seconds();
  act();
  return seconds() - start;
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

/// What the expert does in kSteps steps from `start`.
std::vector<Action> tape(Environment& environment, const simulation::Start& start) {
  std::vector<Action> actions;
  environment.restore(start);
  for (int i = 0; i < kSteps; ++i) {
    actions.push_back(expert_action(environment.scene().task(), environment.observed()));
    environment.step(actions.back());
  }
  return actions;
}

/// Steps' rate, as a share of the bare simulator's.
double measure(int id) {
  const TaskSpec& task = task_of(id);
  Scene scene(id, default_assets());
  Environment environment(scene);
  environment.reset(benchmark_variations(std::array{id}, 42).front().front());
  const simulation::Start start = environment.start();
  const std::vector<Action> actions = tape(environment, start);
  // Where the mocap body was at each step, for the bare simulator to retrace the same motion.
  std::vector<Vec3> hands;
  environment.restore(start);
  for (const Action& action : actions) {
    environment.step(action);
    hands.emplace_back(Vec3::Map(environment.data().mocap_pos));
  }
  std::vector<double> ours;
  std::vector<double> experts;
  std::vector<double> bare;
  for (int turn = 0; turn < kTurns; ++turn) {
    environment.restore(start);
    ours.push_back(timed([&] {
      for (const Action& action : actions) environment.step(action);
    }));
    environment.restore(start);
    experts.push_back(timed([&] {
      for (int i = 0; i < kSteps; ++i) environment.step(expert_action(task, environment.observed()));
    }));
    environment.restore(start);
    mjData& data = environment.data();
    bare.push_back(timed([&] {
      for (std::size_t i = 0; i < actions.size(); ++i) {
        mju_copy3(data.mocap_pos, hands[i].data());
        data.ctrl[0] = actions[i][3];
        data.ctrl[1] = -actions[i][3];
        for (int k = 0; k < Environment::kFrameSkip; ++k) mj_step(&scene.model(), &data);
        mj_forward(&scene.model(), &data);
      }
    }));
  }
  std::printf("%-26s %6.0f steps/s, the bare simulator %6.0f; with the expert %6.0f\n", task.name.data(),
              kSteps / median(ours), kSteps / median(bare), kSteps / median(experts));
  return median(bare) / median(ours);
}

}  // namespace
}  // namespace fleet::metaworld

int main(int argc, char** argv) {
  const fleet::Settings defaults;
  fleet::SettingsReader reader(defaults);
  const auto suite = fleet::metaworld::suite_entry().make(reader, {});
  std::vector<double> ratios;
  for (const int task : suite->find_tasks(argc > 1 ? argv[1] : "mt10"))
    ratios.push_back(fleet::metaworld::measure(task));
  fleet::print_ratio("Meta-World, steps beside the bare simulator", fleet::metaworld::median(ratios));
}
