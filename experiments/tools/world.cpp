#include "tools/world.hpp"

#include <array>

#include "simulation/command.hpp"
#include "simulation/world.hpp"
#include "tools/scene_command.hpp"
#include "tools/suite.hpp"

namespace fleet {
namespace {

std::span<const Command> commands() {
  using Of = simulation::CommandsOf<tools::suite_entry>;
  static constexpr std::array kCommands = {
      Command{"tools rollout", "run episodes under a policy, and draw them: fleet tools rollout hammer", Of::rollout,
              true},
      Command{"tools demos", "record the planner's demonstrations: fleet tools demos --tasks all -o demos.h5",
              Of::demos, true},
      Command{"tools view", "draw how an episode begins: fleet tools view hammer-0 -o hammer.png", Of::view},
      Command{"tools scene", "print a scene as MJCF, for MuJoCo's own programs: fleet tools scene hammer-0",
              tools::scene_command},
      Command{"tools tasks", "list tools of each family", Of::tasks},
  };
  return kCommands;
}

}  // namespace

WorldEntry tools_world() {
  return {.name = "tools",
          .summary = "policies that use tools, cloned from a planner, judged in closed loop (Section 4)",
          .make = []() -> std::unique_ptr<World> { return simulation::make_cloning_world(tools::suite_entry()); },
          .commands = commands};
}

}  // namespace fleet
