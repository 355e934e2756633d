// The commands of this world: the row of each, one a file.
#pragma once

#include "command/command.hpp"

namespace fleet {

/// `fleet sample`: text from the merged weights of a finished sweep.
[[nodiscard]] Command sample_command();

/// `fleet data show`: what is in a text of plays.
[[nodiscard]] Command data_show_command();

}  // namespace fleet
