#include "metaworld/command.hpp"

#include <array>

#include "metaworld/suite.hpp"
#include "simulation/command.hpp"

namespace fleet {

std::span<const Command> metaworld_commands() {
  using Of = simulation::CommandsOf<metaworld::suite_entry>;
  static constexpr std::array kCommands = {
      Command{"metaworld rollout", "run episodes under a policy, and draw them: fleet metaworld rollout reach",
              Of::rollout, true},
      Command{"metaworld demos", "record the experts' demonstrations: fleet metaworld demos --tasks mt10 -o demos.h5",
              Of::demos, true},
      Command{"metaworld tasks", "list the 50 tasks", Of::tasks},
  };
  return kCommands;
}

}  // namespace fleet
