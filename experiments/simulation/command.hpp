// The commands of simulated worlds, `fleet WORLD COMMAND`: roll-outs, with pictures, and demonstrations.
#pragma once

#include <array>
#include <span>
#include <string>

#include "base/error.hpp"
#include "command/command.hpp"
#include "simulation/suite.hpp"

namespace fleet::simulation {

/// Options, and what runs, of each.
[[nodiscard]] boost::program_options::options_description rollout_options(const SuiteEntry& world);
int run_rollout(const SuiteEntry& world, const Call& call);
[[nodiscard]] boost::program_options::options_description demos_options(const SuiteEntry& world);
int run_demos(const SuiteEntry& world, const Call& call);
/// The same of a world without experts, out of policies that sweeps have saved.
[[nodiscard]] boost::program_options::options_description graded_options(const SuiteEntry& world);
int run_graded(const SuiteEntry& world, const Call& call);
[[nodiscard]] boost::program_options::options_description view_options(const SuiteEntry& world);
int run_view(const SuiteEntry& world, const Call& call);
[[nodiscard]] boost::program_options::options_description tasks_options(const SuiteEntry& world);
int run_tasks(const SuiteEntry& world, const Call& call);
/// The tasks that can be named, without and with sets of them.
[[nodiscard]] std::vector<std::string> single_task_names(const SuiteEntry& world);
[[nodiscard]] std::vector<std::string> task_names(const SuiteEntry& world);

/// One task of a world, as what a command takes.
template <const SuiteEntry& (*world)()>
[[nodiscard]] Operand one_task() {
  return {.name = "TASK", .choices = [](std::span<const WorldEntry> /*worlds*/) { return single_task_names(world()); }};
}

/// Those of one world, as rows for its WorldEntry.
template <const SuiteEntry& (*world)()>
[[nodiscard]] std::span<const Command> commands_of() {
  static const std::string kName(world().name);
  static const std::array kNames = {kName + " rollout", kName + " demos", kName + " view", kName + " tasks"};
  static const std::string kDemosSummary = cat("record demonstrations: fleet ", kName, " demos -o demos.h5");
  static const std::array kCommands = {
      Command{.name = kNames[0],
              .summary = "run episodes under a policy, and draw them",
              .usage = "TASKS [options]",
              .operand = {.name = "TASKS",
                          .choices = [](std::span<const WorldEntry> /*worlds*/) { return task_names(world()); }},
              .options = [] { return rollout_options(world()); },
              .run = [](const Call& call) { return run_rollout(world(), call); },
              .on_ranks = true,
              .computes = true},
      Command{.name = kNames[1],
              .summary = kDemosSummary,
              .usage = "-o FILE [options]",
              .options = [] { return demos_options(world()); },
              .run = [](const Call& call) { return run_demos(world(), call); },
              .on_ranks = true,
              .computes = true},
      Command{.name = kNames[2],
              .summary = "draw how an episode begins",
              .usage = "TASK -o NAME.png [options]",
              .operand = one_task<world>(),
              .options = [] { return view_options(world()); },
              .run = [](const Call& call) { return run_view(world(), call); }},
      Command{.name = kNames[3],
              .summary = "list its tasks",
              .usage = "[options]",
              .options = [] { return tasks_options(world()); },
              .run = [](const Call& call) { return run_tasks(world(), call); }},
  };
  return kCommands;
}

}  // namespace fleet::simulation
