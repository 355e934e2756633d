// fleet WORLD tasks
#include <iostream>

#include "simulation/command.hpp"
#include "simulation/command_options.hpp"

namespace fleet::simulation {

std::vector<std::string> task_names(const SuiteEntry& world) {
  const std::shared_ptr<const Suite> suite = usual_suite(world);
  std::vector<std::string> names;
  for (const TaskSet& set : suite->task_sets()) names.emplace_back(set.name);
  for (const Task& task : suite->tasks()) names.emplace_back(task.name);
  return names;
}

int run_tasks(const SuiteEntry& world, const Call& /*call*/) {
  for (const Task& task : usual_suite(world)->tasks()) std::cout << task.name << '\n';
  return 0;
}

}  // namespace fleet::simulation
