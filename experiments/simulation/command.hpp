// The commands of simulated worlds, `fleet WORLD COMMAND`: roll-outs, with pictures, and demonstrations. A world lists
// those of CommandsOf<its entry> under names of its own.
#pragma once

#include <span>

#include "command/command.hpp"
#include "simulation/suite.hpp"

namespace fleet::simulation {

int rollout_command(const SuiteEntry& world, const Arguments& arguments);
int demos_command(const SuiteEntry& world, const Arguments& arguments);
int tasks_command(const SuiteEntry& world, const Arguments& arguments);
int view_command(const SuiteEntry& world, const Arguments& arguments);

/// They as Command::run takes them.
template <const SuiteEntry& (*world)()>
struct CommandsOf {
  static int rollout(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
    return rollout_command(world(), arguments);
  }
  static int demos(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
    return demos_command(world(), arguments);
  }
  static int tasks(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
    return tasks_command(world(), arguments);
  }
  static int view(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
    return view_command(world(), arguments);
  }
};

}  // namespace fleet::simulation
