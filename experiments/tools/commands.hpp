// `fleet tools ...`: the commands of every simulated world, and one that prints scenes.
#pragma once

#include <span>

#include "command/command.hpp"

namespace fleet {

/// Without what the world needs there is one, which says what to install.
[[nodiscard]] std::span<const Command> tools_commands();

}  // namespace fleet
