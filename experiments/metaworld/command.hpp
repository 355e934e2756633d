// `fleet metaworld`: roll-outs, with pictures, and demonstrations.
#pragma once

#include "command_line.hpp"

namespace fleet {

/// Without MuJoCo it only says what to install.
int metaworld_command(const Arguments& arguments);

}  // namespace fleet
