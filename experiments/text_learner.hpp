// Text learned by networks that predict the next character.
#pragma once

#include <memory>

#include "sweep/world.hpp"

namespace fleet {

/// The world "shakespeare".
[[nodiscard]] std::unique_ptr<World> make_shakespeare();

}  // namespace fleet
