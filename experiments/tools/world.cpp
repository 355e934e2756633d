#include "tools/world.hpp"

#include "simulation/world.hpp"
#include "tools/commands.hpp"
#include "tools/suite.hpp"

namespace fleet {
namespace {

constexpr std::string_view kStart =
    R"(# Demonstrations, some minutes: fleet tools demos --tasks all --episodes 100 --noise 0.25 -o demos.h5

[data]
demos = "demos.h5"
tasks = "all"
held_out = 0.02

[fleet]
robots = 5
partition = "mixture"

[model]
kind = "mlp"
hidden = [256, 256, 256]

[train]
epochs = 20
batch_size = 512
learning_rate = 1e-3

[merge]
every_epochs = 0

[evaluate]
episodes = 5

# Every combination of these is a cell.
[sweep.grid]
merge.method = ["average", "regression"]
fleet.alpha = [0.1, 1.0]
)";

}  // namespace

WorldEntry tools_world() {
  return {.name = "tools",
          .summary = "policies that use tools, cloned from a planner, judged in closed loop (Section 4)",
          .make = []() -> std::unique_ptr<World> { return simulation::make_cloning_world(tools::suite_entry()); },
          .commands = tools_commands,
          .start = kStart};
}

}  // namespace fleet
