// `fleet tools scene`: what an episode simulates, for who writes a family.
#pragma once

#include <span>

#include "command/command.hpp"

namespace fleet::tools {

int scene_command(const Arguments& arguments, std::span<const WorldEntry> worlds);

}  // namespace fleet::tools
