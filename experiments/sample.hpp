// `fleet sample`: text from the merged weights of a finished sweep.
#pragma once

#include "command_line.hpp"

namespace fleet {

/// The command; its exit code.
[[nodiscard]] int sample_command(const Arguments& arguments);

}  // namespace fleet
