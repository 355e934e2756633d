// `fleet attach`: merges, aligns and compares the policies of the process that has started it, which is the Python
// package's (python/src/fleet/session.py). Lines and memory are those of docs/protocol.md.
#pragma once

#include "command/command.hpp"

namespace fleet {

[[nodiscard]] Command attach_command();

}  // namespace fleet
