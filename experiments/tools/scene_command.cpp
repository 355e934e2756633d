#include "tools/scene_command.hpp"

#include <iostream>

#include "base/error.hpp"
#include "simulation/command_options.hpp"
#include "tools/environment.hpp"
#include "tools/suite.hpp"

namespace fleet::tools {

int scene_command(const Arguments& arguments, std::span<const WorldEntry> /*worlds*/) {
  simulation::OptionTexts options("Options");
  simulation::add_view_options(options);
  simulation::add_suite_options(options, suite_entry());
  const auto values = parse(arguments, options, "TASK", "fleet tools scene TASK [options]");
  if (!values) return 0;
  const auto suite = simulation::make_suite(suite_entry(), *values);
  const simulation::EpisodeSpec episode = simulation::episode_to_view(*suite, *values);
  const auto environment = suite->make_environment(episode.task, simulation::Suite::Detail::kVisual);
  const auto& tools = dynamic_cast<const Environment&>(*environment);
  std::cout << scene_text(tools.family(), Episode::of(tools.family(), episode.variation));
  return 0;
}

}  // namespace fleet::tools
