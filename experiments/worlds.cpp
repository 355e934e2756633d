#include "worlds.hpp"

#include <array>

#include "control/world.hpp"
#include "images/world.hpp"
#include "locomotion/world.hpp"
#include "lqg/lqg.hpp"
#include "metaworld/world.hpp"
#include "own/world.hpp"
#include "shakespeare/world.hpp"
#include "tools/world.hpp"

namespace fleet {

std::span<const WorldEntry> world_table() {
  static const std::array kWorlds = {
      mnist_world(), cifar10_world(), cifar100_world(),   shakespeare_world(),        lqg_world(), metaworld_world(),
      tools_world(), control_world(), locomotion_world(), locomotion_offline_world(), own_world()};
  return kWorlds;
}

}  // namespace fleet
