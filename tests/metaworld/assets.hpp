// What tests of Meta-World share: the official scenes, or a visible skip where they are not to be had.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "metaworld/rollout.hpp"

namespace fleet::metaworld {

#define REQUIRE_METAWORLD_ASSETS()                                                                    \
  if (!std::filesystem::exists(default_assets() / "sawyer_xyz")) {                                    \
    GTEST_SKIP() << "no Meta-World scenes in " << default_assets() << ": fleet data fetch metaworld"; \
  }

/// The row of the table with this name.
inline const TaskSpec& task_named(std::string_view name) {
  return task_of(find_tasks(name).front());
}

}  // namespace fleet::metaworld
