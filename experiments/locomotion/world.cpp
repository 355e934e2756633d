#include "locomotion/world.hpp"

#include <array>

#include "locomotion/suite.hpp"
#include "simulation/command.hpp"
#include "simulation/offline.hpp"
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

constexpr std::string_view kOfflineStart =
    R"(# The bodies' scenes, once: fleet data fetch locomotion
# Trajectories, say of policies that a sweep of the workload locomotion has saved: fleet locomotion demos

[data]
tasks = "hopper, halfcheetah"
demos = "{task}-medium-expert.h5"
window = 5

[fleet]
robots = 2

[model]
width = 64
layers = 2

[train]
batch_size = 32
learning_rate = 1e-3
epochs = 1
epoch_steps = 1000

[merge]
every_epochs = 0
method = "regression"
parameters = "attention, mlp"

[evaluate]
episodes = 20

# Every combination of these is a cell.
[sweep.grid]
merge.method = ["average", "regression"]
fleet.initialization = ["different", "common"]
)";

/// `demos` without an expert.
Command demos_command() {
  return {.name = "locomotion demos",
          .summary = "graded trajectories out of saved policies: fleet locomotion demos --policies DIR -o FILE",
          .usage = "--policies PATH -o FILE [options]",
          .options = [] { return simulation::graded_options(locomotion::suite_entry()); },
          .run = [](const Call& call) { return simulation::run_graded(locomotion::suite_entry(), call); },
          .on_ranks = true,
          .computes = true};
}

std::span<const Command> commands() {
  static const std::array kCommands = {simulation::commands_of<locomotion::suite_entry>()[0], demos_command(),
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

WorldEntry locomotion_offline_world() {
  return {.name = "locomotion-offline",
          .summary = "the same bodies, learning offline from recorded trajectories by Decision Transformers",
          .make = []() -> std::unique_ptr<World> { return simulation::make_offline_world(locomotion::suite_entry()); },
          .start = kOfflineStart};
}

}  // namespace fleet
