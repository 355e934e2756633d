// What results say of the program that made them.
#pragma once

#include "command/command_line.hpp"
#include "io/results.hpp"

namespace fleet {

/// Versions, the command line and, from all ranks, the hosts. Collective.
[[nodiscard]] Provenance provenance_of(const std::string& command, const Arguments& arguments, const Comm& world);

}  // namespace fleet
