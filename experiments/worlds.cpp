#include "worlds.hpp"

#include <array>

#include "mnist.hpp"

namespace fleet {
namespace {

constexpr std::array kWorlds = {
    WorldEntry{"mnist", "handwritten digits (or Fashion-MNIST), sharded by class (Appendix F)", make_mnist},
};

}  // namespace

std::span<const WorldEntry> world_table() {
  return kWorlds;
}

}  // namespace fleet
