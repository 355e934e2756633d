// fleet WORLD tasks
#include <algorithm>
#include <iostream>
#include <iterator>

#include "simulation/command.hpp"
#include "simulation/command_options.hpp"

namespace fleet::simulation {

std::vector<std::string> single_task_names(const SuiteEntry& world) {
  const std::shared_ptr<const Suite> suite = usual_suite(world);
  std::vector<std::string> names;
  for (const Task& task : suite->tasks()) names.emplace_back(task.name);
  return names;
}

std::vector<std::string> task_names(const SuiteEntry& world) {
  const std::shared_ptr<const Suite> suite = usual_suite(world);
  std::vector<std::string> names;
  for (const TaskSet& set : suite->task_sets()) names.emplace_back(set.name);
  std::ranges::copy(single_task_names(world), std::back_inserter(names));
  return names;
}

int run_tasks(const SuiteEntry& world, const Call& /*call*/) {
  for (const std::string& name : single_task_names(world)) std::cout << name << '\n';
  return 0;
}

}  // namespace fleet::simulation
