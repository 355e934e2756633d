// The commands on saved models: `fleet merge` and `fleet barrier`.
#pragma once

#include "command_line.hpp"

namespace fleet {

int merge_models(const Arguments& arguments);
int measure_barriers(const Arguments& arguments);

}  // namespace fleet
