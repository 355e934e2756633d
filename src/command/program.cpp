#include "command/program.hpp"

#include <algorithm>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <vector>

#include "base/blas.hpp"
#include "base/error.hpp"
#include "base/process.hpp"
#include "command/commands.hpp"
#include "io/hdf5.hpp"
#include "torch/runtime.hpp"
#include "version.hpp"

namespace fleet {
namespace {

using namespace exit_code;

/// "data" of "data fetch".
std::string_view first_word(std::string_view name) {
  return name.substr(0, name.find(' '));
}

/// A line a command whose name begins with `group`, or that of all.
std::string listed(std::span<const Command> commands, std::string_view group = "") {
  std::size_t width = 0;
  for (const Command& command : commands) width = std::max(width, command.name.size());
  std::ostringstream text;
  for (const Command& command : commands) {
    if (!group.empty() && first_word(command.name) != group) continue;
    text << "  " << std::left << std::setw(static_cast<int>(width) + 2) << command.name << command.summary << '\n';
  }
  return text.str();
}

bool asks_for_help(std::string_view word) {
  return word == "--help" || word == "-h" || word == "help";
}

/// The command that the first word or two name, or null.
const Command* find_command(std::span<const Command> commands, const Arguments& arguments) {
  for (const Command& command : commands) {
    if (command.name == arguments.front()) return &command;
    if (arguments.size() > 1 && command.name == cat(arguments[0], ' ', arguments[1])) return &command;
  }
  return nullptr;
}

/// Where only the first word is one that commands begin with; else ConfigError, with the name that was probably meant.
int explain_group(std::span<const Command> commands, const Arguments& arguments) {
  const std::string& group = arguments.front();
  std::vector<std::string> names;
  bool known = false;
  for (const Command& command : commands) {
    known = known || first_word(command.name) == group;
    names.emplace_back(command.name);
    names.emplace_back(first_word(command.name));
  }
  const std::string usage = cat("usage: fleet ", group, " COMMAND ...\n\n", listed(commands, group));
  if (known && (arguments.size() < 2 || asks_for_help(arguments[1]))) {
    std::cout << usage;
    return arguments.size() < 2 ? kMisused : 0;
  }
  if (known) throw ConfigError(cat("there is no command ", group, ' ', arguments[1], '\n', usage));
  const std::optional<std::string> meant = nearest(group, names);
  throw ConfigError(
      cat("there is no command ", group, meant ? cat("; did you mean ", *meant, "?") : "; try fleet --help"));
}

int dispatch(char** argv, const Arguments& arguments, std::span<const WorldEntry> worlds) {
  const std::vector<Command> commands = all_commands(worlds);
  if (arguments.empty() || asks_for_help(arguments.front())) {
    std::cout << "fleet " << kVersion << ": policy merging in robot fleets\n\nusage: fleet COMMAND ...\n\n"
              << listed(commands) << "\n`fleet COMMAND --help` shows a command's options.\n";
    return arguments.empty() ? kMisused : 0;
  }
  if (arguments.front() == "--version") {
    std::cout << "fleet " << kVersion << " (" << kGitRevision << "), LibTorch " << torch_version() << ", HDF5 "
              << hdf5_version() << '\n';
    return 0;
  }
  const Command* command = find_command(commands, arguments);
  if (command == nullptr) return explain_group(commands, arguments);
  if (command->computes) {
    ensure_fast_blas(argv);  // it starts the program anew
    keep_freed_memory();
  }
  const auto words = std::count(command->name.begin(), command->name.end(), ' ') + 1;
  return run_command(*command, Arguments(arguments.begin() + words, arguments.end()), worlds);
}

}  // namespace

int run_program(int argc, char** argv, std::span<const WorldEntry> worlds) {
  try {
    const int code = dispatch(argv, Arguments(argv + 1, argv + argc), worlds);
    if (!std::cout.flush().bad()) return code;  // ranks that do not print have another bit set
    std::cerr << "fleet: standard output cannot be written to" << std::endl;
    return kFailed;
  } catch (const ConfigError& error) {
    std::cerr << "fleet: " << error.what() << std::endl;
    return kMisused;
  } catch (const std::exception& error) {
    std::cerr << "fleet: " << error.what() << std::endl;
    return kFailed;
  }
}

}  // namespace fleet
