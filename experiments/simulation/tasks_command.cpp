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

OptionTexts tasks_options(const SuiteEntry& world) {
  OptionTexts options;
  add_suite_options(options, world);
  return options;
}

int run_tasks(const SuiteEntry& world, const Call& call) {
  const std::shared_ptr<const Suite> suite = make_suite(world, call.values);
  for (const Task& task : suite->tasks()) std::cout << task.name << '\n';
  return 0;
}

}  // namespace fleet::simulation
