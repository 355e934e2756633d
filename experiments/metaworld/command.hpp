// `fleet metaworld ...`: roll-outs, with pictures, and demonstrations.
#pragma once

#include <span>

#include "command/command.hpp"

namespace fleet {

/// Without MuJoCo there is one, which says what to install.
[[nodiscard]] std::span<const Command> metaworld_commands();

}  // namespace fleet
