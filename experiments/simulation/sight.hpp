// A world in which policies see: what they observe is what a network that is never trained makes of pictures, and what
// the robot feels of itself. The rest of a world's state is hidden from them; its expert still knows it.
#pragma once

#include <memory>

#include "base/settings.hpp"
#include "simulation/suite.hpp"

namespace fleet::simulation {

/// What options of commands stand for these settings.
inline constexpr SuiteOption kEncoderOption{
    "encoder", "data.encoder", "TorchScript file through which pictures are seen; without one the state is observed"};
inline constexpr SuiteOption kImagesOption{"images", "data.images", "height and width of the pictures"};
inline constexpr SuiteOption kCamerasOption{"cameras", "data.cameras", "how many cameras take pictures"};
inline constexpr SuiteOption kFramesOption{"frames", "data.frames", "of how many steps pictures are seen at once"};

/// Reads "data.encoder", "data.images", "data.cameras" and "data.frames", and gives the same world, seen: an
/// observation is the first Facts::own numbers of the world's own, then the features of the newest picture of each
/// camera, then those of the step before and so on; before the first step there are pictures of the first. `world`
/// itself where no encoder is named. ConfigError if it cannot be used.
[[nodiscard]] std::shared_ptr<const Suite> see(SettingsReader& settings, std::shared_ptr<const Suite> world);

}  // namespace fleet::simulation
