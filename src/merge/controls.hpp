// Controls: what a merge must be better than.
#pragma once

#include <memory>

#include "merge/merger.hpp"

namespace fleet {

/// Random weights in place of what robots have learned: each tensor's entries are normal, of the mean and deviation
/// that the participants' entries have together. Beside a merge after which robots train on what they keep to
/// themselves it tells how much of the outcome is that training's (Lawson and Qureshi, 2023, do without it). No
/// options.
[[nodiscard]] std::unique_ptr<Merger> make_random_weights(SettingsReader& settings);

/// One robot's weights, as they are, for the whole fleet; where it takes no part, the next participant's. Where robots
/// keep a part to themselves, the others run on a part that is not theirs. Reads "merge.one-robot.robot" (0).
[[nodiscard]] std::unique_ptr<Merger> make_one_robot(SettingsReader& settings);

}  // namespace fleet
