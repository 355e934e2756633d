// The program: finds the command that is asked for, and turns what it throws into an exit code.
#pragma once

#include <span>

#include "sweep/world.hpp"

namespace fleet {

/// All of main(), with the worlds that the program is made of; its exit code (command_line.hpp).
[[nodiscard]] int run_program(int argc, char** argv, std::span<const WorldEntry> worlds);

}  // namespace fleet
