#include "metaworld/task.hpp"

#include <algorithm>

namespace fleet::metaworld {

std::vector<int> mt10() {
  constexpr std::array kNames = {"reach",       "push",         "pick-place",           "door-open",
                                 "drawer-open", "drawer-close", "button-press-topdown", "peg-insert-side",
                                 "window-open", "window-close"};
  const std::span<const TaskSpec> table = task_table();
  std::vector<int> ids;
  for (const char* name : kNames) {
    ids.push_back(static_cast<int>(std::ranges::find(table, name, &TaskSpec::name) - table.begin()));
  }
  return ids;
}

}  // namespace fleet::metaworld
