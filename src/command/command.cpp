#include "command/command.hpp"

#include <iostream>
#include <optional>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/option.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

std::string usage_of(const Command& command) {
  return cat("usage: ", command.on_ranks ? "[mpirun -n RANKS] " : "", "fleet ", command.name,
             command.usage.empty() ? "" : " ", command.usage);
}

/// None where help was asked for, which is printed.
std::optional<po::variables_map> read(const Command& command, const Arguments& arguments) {
  po::options_description options = command.options == nullptr ? po::options_description("Options") : command.options();
  options.add_options()("help,h", "show this help");
  po::options_description all = options;
  po::positional_options_description positions;
  if (const Operand& operand = command.operand; operand.name != nullptr) {
    if (operand.many) {
      all.add_options()(operand.name, po::value<Arguments>()->composing());
    } else {
      all.add_options()(operand.name, po::value<std::string>());
    }
    positions.add(operand.name, operand.many ? -1 : 1);
  }
  po::variables_map values;
  try {
    po::store(po::command_line_parser(arguments).options(all).positional(positions).run(), values);
    if (!values.contains("help")) po::notify(values);
  } catch (const po::error& error) {
    throw ConfigError(cat(error.what(), '\n', usage_of(command)));
  }
  if (values.contains("help")) {
    std::cout << usage_of(command) << "\n\n" << command.summary << "\n\n" << options;
    return std::nullopt;
  }
  if (command.operand.name != nullptr && !command.operand.optional && !values.contains(command.operand.name)) {
    throw ConfigError(cat("missing ", command.operand.name, '\n', usage_of(command)));
  }
  check_options(options, values);
  return values;
}

}  // namespace

std::vector<Command> all_commands(std::span<const WorldEntry> worlds) {
  const auto own = command_table();
  std::vector<Command> commands(own.begin(), own.end());
  for (const WorldEntry& world : worlds) {
    if (world.commands == nullptr) continue;
    const auto brought = world.commands();
    commands.insert(commands.end(), brought.begin(), brought.end());
  }
  return commands;
}

int run_command(const Command& command, const Arguments& arguments, std::span<const WorldEntry> worlds) {
  const auto run = [&](const Comm* ranks) {
    const auto values = read(command, arguments);
    return values ? command.run({.arguments = arguments, .values = *values, .worlds = worlds, .ranks = ranks}) : 0;
  };
  if (!command.on_ranks) return run(nullptr);
  return on_ranks(cat(command.name), arguments, [&](const Comm& ranks) { return run(&ranks); });
}

}  // namespace fleet
