#include "command/commands.hpp"

#include <array>

namespace fleet {

std::span<const Command> command_table() {
  static const std::array kCommands = {
      command::run(),   command::plan(),    command::slurm(),        command::status(),     command::collect(),
      command::merge(), command::barrier(), command::export_model(), command::data_fetch(), command::init(),
      command::keys(),  command::list(),    command::completion(),
  };
  return kCommands;
}

}  // namespace fleet
