// Methods with little enough to do for toy fleets that are merged many times.
#pragma once

#include <memory>
#include <string>

#include "merge/merger.hpp"
#include "merge/rounds_after.hpp"

namespace fleet::toy {

/// The name of a method that may be written "method:precision".
inline std::string plain_name(const std::string& method) {
  return method.substr(0, method.find(':'));
}

/// With `rounds_after` consolidated rounds after its last merge.
inline std::unique_ptr<Merger> quick_merger(const std::string& method, int rounds_after = 0) {
  Settings settings;
  const std::string name = plain_name(method);
  if (name != method) settings["merge.precision"].value = method.substr(name.size() + 1);
  settings["merge.fleet-merge.epochs"].value = std::int64_t{2};
  settings["merge.fleet-merge.steps"].value = std::int64_t{5};
  settings["merge.fleet-merge.batch_size"].value = std::int64_t{4};
  settings["merge.rounds_after"].value = std::int64_t{rounds_after};
  settings["merge.after.kind"].value = std::string("consolidated");
  settings["merge.after.steps"].value = std::int64_t{3};
  SettingsReader reader(settings);
  return make_merger(find_merger(name), reader, rounds_after);
}

}  // namespace fleet::toy
