// The program's own commands. A new one is a .cpp file and a row in commands.cpp.
#pragma once

#include <span>

#include "command/command.hpp"

namespace fleet {

/// Every command that is not of a world, in the order they are listed to users.
[[nodiscard]] std::span<const Command> command_table();

/// One a file.
namespace command {
int run(const Arguments& arguments, std::span<const WorldEntry> worlds);
int plan(const Arguments& arguments, std::span<const WorldEntry> worlds);
int slurm(const Arguments& arguments, std::span<const WorldEntry> worlds);
int status(const Arguments& arguments, std::span<const WorldEntry> worlds);
int collect(const Arguments& arguments, std::span<const WorldEntry> worlds);
int merge(const Arguments& arguments, std::span<const WorldEntry> worlds);
int barrier(const Arguments& arguments, std::span<const WorldEntry> worlds);
int export_model(const Arguments& arguments, std::span<const WorldEntry> worlds);
int data_fetch(const Arguments& arguments, std::span<const WorldEntry> worlds);
int keys(const Arguments& arguments, std::span<const WorldEntry> worlds);
int list(const Arguments& arguments, std::span<const WorldEntry> worlds);
}  // namespace command

}  // namespace fleet
