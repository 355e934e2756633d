#include "worlds.hpp"

#include <array>

#include "lqg/lqg.hpp"
#include "metaworld/world.hpp"
#include "mnist.hpp"
#include "text_learner.hpp"

namespace fleet {

std::span<const WorldEntry> world_table() {
  static const std::array kWorlds = {
      WorldEntry{"mnist", "handwritten digits (or Fashion-MNIST), sharded by class (Appendix F)", make_mnist},
      WorldEntry{"shakespeare", "the next character of what roles in plays say (Appendix F)", make_shakespeare},
      WorldEntry{"lqg", "linear policies that imitate optimal controllers (Appendix G)", make_lqg},
      metaworld_world(),
  };
  return kWorlds;
}

}  // namespace fleet
