#include "locomotion/world.hpp"

#include <array>

#include "locomotion/suite.hpp"
#include "simulation/command.hpp"
#include "simulation/online.hpp"

namespace fleet {
namespace {

constexpr std::string_view kStart =
    R"(# The bodies' scenes, once: fleet data fetch locomotion

[data]
tasks = "hopper"

[fleet]
robots = 4
initialization = "common"

[model]
hidden = []

[train]
gradient = "search"
optimizer = "sgd"
learning_rate = 0.02
epochs = 10
epoch_episodes = 320

[merge]
method = "average"

[evaluate]
episodes = 10

# Every combination of these is a cell.
[sweep.grid]
merge.every_epochs = [1, 5]
)";

std::span<const Command> commands() {
  static const std::array kCommands = {simulation::commands_of<locomotion::suite_entry>()[0],
                                       simulation::commands_of<locomotion::suite_entry>()[2],
                                       simulation::commands_of<locomotion::suite_entry>()[3]};
  return kCommands;
}

}  // namespace

WorldEntry locomotion_world() {
  return {.name = "locomotion",
          .summary = "bodies that learn to walk online, from episodes of their own",
          .make = []() -> std::unique_ptr<World> { return simulation::make_play_world(locomotion::suite_entry()); },
          .commands = commands,
          .start = kStart};
}

}  // namespace fleet
