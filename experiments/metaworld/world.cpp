#include "metaworld/world.hpp"

#include "metaworld/command.hpp"
#include "metaworld/suite.hpp"
#include "simulation/world.hpp"

namespace fleet {
namespace {

constexpr std::string_view kStart =
    R"(# Demonstrations, some minutes: fleet metaworld demos --tasks mt10 --episodes 100 --noise 0.4 -o demos.h5

[data]
demos = "demos.h5"
tasks = "mt10"
one_hot = true
held_out = 0.02

[fleet]
robots = 5
partition = "mixture"

[model]
kind = "mlp"
hidden = [256, 256, 256]

[train]
epochs = 10
batch_size = 256
learning_rate = 1e-3

[merge]
every_epochs = 0

[evaluate]
episodes = 5
max_steps = 300

# Every combination of these is a cell.
[sweep.grid]
merge.method = ["average", "regression"]
fleet.alpha = [0.1, 1.0]
)";

}  // namespace

WorldEntry metaworld_world() {
  return {.name = "metaworld",
          .summary = "manipulation policies cloned from experts, judged in closed loop (Section 5)",
          .make = []() -> std::unique_ptr<World> { return simulation::make_cloning_world(metaworld::suite_entry()); },
          .commands = metaworld_commands,
          .start = kStart};
}

}  // namespace fleet
