// `fleet attach`: merges, aligns and compares the policies of the process that has started it (docs/protocol.md).
#pragma once

#include "command/command.hpp"

namespace fleet {

[[nodiscard]] Command attach_command();

}  // namespace fleet
