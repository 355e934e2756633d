#include "simulation/suite.hpp"

#include <algorithm>
#include <sstream>

#include "base/error.hpp"

namespace fleet::simulation {
namespace {

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin);
}

}  // namespace

std::vector<Variation> Suite::benchmark(int /*task*/, std::uint32_t /*seed*/) const {
  return {};
}

std::string Suite::label(int id) const {
  return task(id).name + std::string(facts().task_suffix);
}

int Suite::most_steps() const {
  return std::ranges::max(tasks(), {}, &Task::steps).steps;
}

const Sizes& Suite::common_sizes(std::span<const int> ids) const {
  const Sizes& common = sizes(ids.front());
  for (const int id : ids) {
    if (sizes(id) == common && task(id).chooses == task(ids.front()).chooses) continue;
    throw ConfigError(cat(task(ids.front()).name, " has observations of ", common.observation,
                          " numbers and actions of ", common.action, ", ", task(id).name, " of ", sizes(id).observation,
                          " and ", sizes(id).action, "; expected tasks that are alike in this"));
  }
  return common;
}

int Suite::find_task(std::string_view name) const {
  const std::string_view suffix = facts().task_suffix;
  const bool labelled = !suffix.empty() && name.ends_with(suffix);
  const std::string_view bare = labelled ? name.substr(0, name.size() - suffix.size()) : name;
  const auto found = std::ranges::find(tasks(), bare, &Task::name);
  if (found != tasks().end()) return static_cast<int>(found - tasks().begin());
  std::vector<std::string> names;
  for (const TaskSet& set : task_sets()) names.push_back(set.name);
  for (const Task& task : tasks()) names.push_back(task.name);
  const std::optional<std::string> meant = nearest(bare, names);
  throw ConfigError(
      cat("there is no ", facts().title, " task ", name,
          meant ? cat("; did you mean ", *meant, "?") : cat("; `fleet ", facts().name, " tasks` lists them")));
}

std::vector<int> Suite::find_tasks(std::string_view names) const {
  std::vector<int> ids;
  std::istringstream list{std::string(names)};
  for (std::string name; std::getline(list, name, ',');) {
    name = trimmed(name);
    const auto set = std::ranges::find(task_sets(), name, &TaskSet::name);
    if (set != task_sets().end()) {
      ids.insert(ids.end(), set->tasks.begin(), set->tasks.end());
    } else {
      ids.push_back(find_task(name));
    }
  }
  if (ids.empty()) throw ConfigError(cat("no ", facts().title, " task is named"));
  for (auto id = ids.begin(); id != ids.end(); ++id) {
    if (std::find(ids.begin(), id, *id) != id) throw ConfigError(cat("task ", task(*id).name, " is named twice"));
  }
  return ids;
}

std::vector<int> read_tasks(SettingsReader& settings, const Suite& suite, bool alike) {
  constexpr const char* kKey = "data.tasks";
  std::string names(suite.facts().default_tasks);
  settings.read(kKey, names, "Tasks that the fleet learns: names separated by commas, or that of a set of them.");
  try {
    std::vector<int> tasks = suite.find_tasks(names);
    if (alike) (void)suite.common_sizes(tasks);
    return tasks;
  } catch (const ConfigError& error) {
    reject(kKey, settings.resolved().at(kKey), error.what());
  }
}

}  // namespace fleet::simulation
