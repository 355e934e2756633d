#include "metaworld/task.hpp"

#include <algorithm>
#include <sstream>

#include "base/error.hpp"
#include "base/settings.hpp"

namespace fleet::metaworld {
namespace {

constexpr std::array kMt10 = {"reach",       "push",         "pick-place",           "door-open",
                              "drawer-open", "drawer-close", "button-press-topdown", "peg-insert-side",
                              "window-open", "window-close"};

std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\n");
  return begin == std::string::npos ? "" : text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin);
}

int find_task(std::string_view name) {
  const std::span<const TaskSpec> table = task_table();
  const std::string_view bare = name.ends_with("-v3") ? name.substr(0, name.size() - 3) : name;
  const auto found = std::ranges::find(table, bare, &TaskSpec::name);
  if (found != table.end()) return static_cast<int>(found - table.begin());
  std::vector<std::string> names = {"mt10", "mt50"};
  for (const TaskSpec& task : table) names.emplace_back(task.name);
  const std::optional<std::string> meant = nearest(bare, names);
  throw ConfigError(cat("there is no Meta-World task ", name,
                        meant ? cat("; did you mean ", *meant, "?") : "; `fleet metaworld tasks` lists them"));
}

}  // namespace

std::vector<int> find_tasks(std::string_view names) {
  std::vector<int> ids;
  std::istringstream list{std::string(names)};
  for (std::string name; std::getline(list, name, ',');) {
    name = trimmed(name);
    if (name == "mt50") {
      for (std::size_t i = 0; i < task_table().size(); ++i) ids.push_back(static_cast<int>(i));
    } else if (name == "mt10") {
      for (const char* task : kMt10) ids.push_back(find_task(task));
    } else {
      ids.push_back(find_task(name));
    }
  }
  if (ids.empty()) throw ConfigError("no Meta-World task is named");
  for (auto id = ids.begin(); id != ids.end(); ++id) {
    if (std::find(ids.begin(), id, *id) != id) throw ConfigError(cat("task ", task_of(*id).name, " is named twice"));
  }
  return ids;
}

}  // namespace fleet::metaworld
