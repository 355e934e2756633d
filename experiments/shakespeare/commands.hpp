// The commands of this world, one a file.
#pragma once

#include <span>

#include "command/command.hpp"

namespace fleet {

/// `fleet sample`: text from the merged weights of a finished sweep.
int sample(const Arguments& arguments, std::span<const WorldEntry> worlds);

/// `fleet data show`: what is in a text of plays.
int data_show(const Arguments& arguments, std::span<const WorldEntry> worlds);

}  // namespace fleet
