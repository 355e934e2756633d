// What tests of Meta-World share: its suite, and the official scenes, or a visible skip where they are not to be had.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>

#include "metaworld/scene.hpp"
#include "metaworld/suite.hpp"
#include "simulation/rollout.hpp"

namespace fleet::metaworld {

#define REQUIRE_METAWORLD_ASSETS()                                                                    \
  if (!std::filesystem::exists(default_assets() / "sawyer_xyz")) {                                    \
    GTEST_SKIP() << "no Meta-World scenes in " << default_assets() << ": fleet data fetch metaworld"; \
  }

inline std::shared_ptr<const simulation::Suite> suite() {
  const Settings defaults;
  SettingsReader reader(defaults);
  return suite_entry().make(reader, {});
}

inline std::vector<int> find_tasks(std::string_view names) {
  return suite()->find_tasks(names);
}

/// The id of the task with this name.
inline int task_named(std::string_view name) {
  return find_tasks(name).front();
}

/// Runs the environment, just reset.
inline simulation::EpisodeResult roll_out(simulation::Environment& environment,
                                          const simulation::Policy& policy = simulation::expert_policy(),
                                          int steps = kEpisodeSteps) {
  return simulation::roll_out(environment, kActionSize, policy, {}, steps);
}

}  // namespace fleet::metaworld
