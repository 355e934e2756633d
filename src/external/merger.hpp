// merge.method = "external": a way of merging that lives in a program of the user's own (docs/protocol.md).
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// The line of the table of methods. The program gets the participants' weights as one array, at the root of the cell's
/// ranks, and answers with one vector.
[[nodiscard]] MergerEntry external_method();

}  // namespace fleet
