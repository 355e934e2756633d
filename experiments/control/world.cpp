#include "control/world.hpp"

#include <array>

#include "control/suite.hpp"
#include "simulation/command.hpp"
#include "simulation/online.hpp"

namespace fleet {
namespace {

constexpr std::string_view kStart =
    R"([data]
tasks = "cartpole"

[fleet]
robots = 5
initialization = "common"

[train]
epochs = 30
epoch_episodes = 10
learning_rate = 3e-3

[merge]
method = "average"

[evaluate]
episodes = 20

# Every combination of these is a cell.
[sweep.grid]
merge.every_epochs = [1, 3, 10]
)";

/// There is nothing to draw, and nobody learns from demonstrations.
std::span<const Command> commands() {
  static const std::array kCommands = [] {
    const std::span<const Command> all = simulation::commands_of<control::suite_entry>();
    Command rollout = all[0];
    rollout.summary = "run episodes under a policy";
    return std::array{rollout, all[3]};
  }();
  return kCommands;
}

}  // namespace

WorldEntry control_world() {
  return {.name = "control",
          .summary = "policies of classic control that learn online, from episodes of their own (Appendix E)",
          .make = []() -> std::unique_ptr<World> { return simulation::make_play_world(control::suite_entry()); },
          .commands = commands,
          .start = kStart};
}

}  // namespace fleet
