// fleet WORLD tasks
#include <iostream>

#include "base/error.hpp"
#include "simulation/command.hpp"
#include "simulation/command_options.hpp"

namespace fleet::simulation {

int tasks_command(const SuiteEntry& world, const Arguments& arguments) {
  if (!parse(arguments, OptionTexts("Options"), nullptr, cat("fleet ", world.name, " tasks"))) return 0;
  const std::shared_ptr<const Suite> suite = usual_suite(world);
  for (const Task& task : suite->tasks()) std::cout << task.name << '\n';
  return 0;
}

}  // namespace fleet::simulation
