#include "metaworld/world.hpp"

#include "metaworld/command.hpp"
#include "metaworld/suite.hpp"
#include "simulation/world.hpp"

namespace fleet {

WorldEntry metaworld_world() {
  return {.name = "metaworld",
          .summary = "manipulation policies cloned from experts, judged in closed loop (Section 5)",
          .make = []() -> std::unique_ptr<World> { return simulation::make_cloning_world(metaworld::suite_entry()); },
          .commands = metaworld_commands};
}

}  // namespace fleet
