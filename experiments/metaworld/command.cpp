#include "metaworld/command.hpp"

#include "metaworld/suite.hpp"
#include "simulation/command.hpp"

namespace fleet {

std::span<const Command> metaworld_commands() {
  return simulation::commands_of<metaworld::suite_entry>();
}

}  // namespace fleet
