// The program's own commands: each is a file, and a row in commands.cpp.
#pragma once

#include <span>

#include "command/command.hpp"

namespace fleet {

/// Every command that is not of a world, in the order they are listed to users.
[[nodiscard]] std::span<const Command> command_table();

/// One a file: the row of each.
namespace command {
Command run();
Command plan();
Command slurm();
Command status();
Command collect();
Command merge();
Command barrier();
Command export_model();
Command data_fetch();
Command init();
Command keys();
Command list();
Command completion();
}  // namespace command

}  // namespace fleet
