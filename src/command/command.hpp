// A row of the tables of commands: the program's own in commands.cpp, and those that worlds bring along.
//
// A row says all that is known of a command before it runs: help, checks and shell completion are made from it.
#pragma once

#include <boost/program_options.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/comm.hpp"
#include "command/command_line.hpp"
#include "sweep/world.hpp"

namespace fleet {

/// What a command takes beside its options.
struct Operand {
  enum class Is { kWord, kFile, kDirectory };
  const char* name = nullptr;  ///< "CONFIG"; null: it takes none
  Is is = Is::kWord;
  std::string_view ending = {};  ///< of such files, ".toml"
  bool many = false;             ///< one or more
  bool optional = false;
  /// The words there are, if they are few.
  std::vector<std::string> (*choices)(std::span<const WorldEntry> worlds) = nullptr;
};

/// What a command is run with.
struct Call {
  const Arguments& arguments;  ///< as they were written, without the command's name
  const boost::program_options::variables_map& values;
  std::span<const WorldEntry> worlds;
  const Comm* ranks = nullptr;  ///< all that mpirun has started, for a command that runs on them

  [[nodiscard]] bool has(const char* option) const { return values.contains(option); }
  template <class T = std::string>
  [[nodiscard]] const T& get(const char* option) const {
    return values[option].as<T>();
  }
};

struct Command {
  std::string_view name;     ///< a word, or two: "data fetch"
  std::string_view summary;  ///< a line for `fleet --help`
  std::string_view usage;    ///< what follows the name
  Operand operand = {};
  boost::program_options::options_description (*options)() = nullptr;  ///< null: none but --help
  int (*run)(const Call& call) = nullptr;                              ///< its exit code
  bool on_ranks = false;  ///< may be started by mpirun, on any number of them
  bool computes = false;  ///< enough for the choice of BLAS kernels to matter, if only for the same last bits
};

/// The program's own commands, and behind them those of the worlds.
[[nodiscard]] std::vector<Command> all_commands(std::span<const WorldEntry> worlds);

/// Reads the arguments and runs the command; its exit code. ConfigError, with the usage, for what is not understood.
[[nodiscard]] int run_command(const Command& command, const Arguments& arguments, std::span<const WorldEntry> worlds);

}  // namespace fleet
