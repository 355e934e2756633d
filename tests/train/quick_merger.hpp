// Methods with little enough to do for toy fleets that are merged many times.
#pragma once

#include <memory>
#include <string>

#include "merge/merger.hpp"

namespace fleet::toy {

inline std::unique_ptr<Merger> quick_merger(const std::string& method) {
  Settings settings;
  settings["merge.fleet-merge.epochs"].value = std::int64_t{2};
  settings["merge.fleet-merge.steps"].value = std::int64_t{5};
  settings["merge.fleet-merge.batch_size"].value = std::int64_t{4};
  SettingsReader reader(settings);
  return find_merger(method).make(reader);
}

}  // namespace fleet::toy
