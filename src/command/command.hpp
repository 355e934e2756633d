// A row of the tables of commands: the program's own in commands.cpp, and those that worlds bring along.
#pragma once

#include <span>
#include <string_view>

#include "command/command_line.hpp"
#include "sweep/world.hpp"

namespace fleet {

struct Command {
  std::string_view name;     ///< a word, or two: "data fetch"
  std::string_view summary;  ///< a line for `fleet --help`
  /// With what follows its name on the command line; its exit code.
  int (*run)(const Arguments& arguments, std::span<const WorldEntry> worlds);
  bool computes = false;  ///< enough for the choice of BLAS kernels to matter, if only for the same last bits
};

}  // namespace fleet
