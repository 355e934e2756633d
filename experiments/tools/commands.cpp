#include "tools/commands.hpp"

#include <iostream>
#include <vector>

#include "simulation/command.hpp"
#include "simulation/command_options.hpp"
#include "tools/scene.hpp"
#include "tools/suite.hpp"

namespace fleet {
namespace {

simulation::OptionTexts scene_options() {
  simulation::OptionTexts options;
  simulation::add_view_options(options);
  simulation::add_suite_options(options, tools::suite_entry());
  return options;
}

/// What an episode simulates, for those who write a family.
int print_scene(const Call& call) {
  const auto suite = simulation::make_suite(tools::suite_entry(), call.values);
  const simulation::EpisodeSpec episode = simulation::episode_to_view(*suite, call.values);
  const tools::Family& family = tools::family_of(*suite, episode.task);
  std::cout << tools::scene_text(family, tools::Episode::of(family, episode.variation));
  return 0;
}

}  // namespace

std::span<const Command> tools_commands() {
  static const std::vector<Command> kCommands = [] {
    const std::span<const Command> common = simulation::commands_of<tools::suite_entry>();
    std::vector<Command> commands(common.begin(), common.end());
    commands.push_back({.name = "tools scene",
                        .summary = "print how an episode begins as MJCF, for MuJoCo's own programs",
                        .usage = "TASK [options]",
                        .operand = simulation::one_task<tools::suite_entry>(),
                        .options = scene_options,
                        .run = print_scene});
    return commands;
  }();
  return kCommands;
}

}  // namespace fleet
