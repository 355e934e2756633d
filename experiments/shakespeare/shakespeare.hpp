// Shakespeare: a fleet that learns to speak, each robot from what some roles say (LEAF; FLEET-MERGE, Appendix F).
//
// Hides texts on disk and in shared memory. What is learned, and by which network, is the learner's.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/settings.hpp"
#include "data/plays.hpp"
#include "sweep/world.hpp"
#include "train/text_data.hpp"

namespace fleet {

/// What learns a text; both read the keys that are their own.
struct TextLearner {
  std::function<std::shared_ptr<const ParamLayout>(SettingsReader&)> layout;  ///< of the network's weights
  std::function<std::unique_ptr<Workload>(TextData, SettingsReader&)> make;
};

[[nodiscard]] std::unique_ptr<World> make_text_world(TextLearner learner);

}  // namespace fleet
