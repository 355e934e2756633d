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

/// What planning needs to know of what learns a text.
struct TextNetwork {
  std::shared_ptr<const ParamLayout> layout;  ///< of its weights
  std::shared_ptr<const std::vector<AffineMap>> maps = nullptr;
};

/// What learns a text; both read the keys that are their own.
struct TextLearner {
  std::function<TextNetwork(SettingsReader&)> network;
  std::function<std::unique_ptr<Workload>(TextData, SettingsReader&)> make;
};

[[nodiscard]] std::unique_ptr<World> make_text_world(TextLearner learner);

}  // namespace fleet
