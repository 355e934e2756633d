#include "worlds.hpp"

#include <array>

#include "mnist.hpp"
#include "text_learner.hpp"

namespace fleet {
namespace {

constexpr std::array kWorlds = {
    WorldEntry{"mnist", "handwritten digits (or Fashion-MNIST), sharded by class (Appendix F)", make_mnist},
    WorldEntry{"shakespeare", "the next character of what roles in plays say (Appendix F)", make_shakespeare},
};

}  // namespace

std::span<const WorldEntry> world_table() {
  return kWorlds;
}

}  // namespace fleet
