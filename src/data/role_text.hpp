// Plays turned inside out: every role's speeches put together, one role after another, as one text.
//
// Called by the workload that learns to speak; what comes out is indexed by the types of train/text_partition.hpp.
#pragma once

#include <string>
#include <vector>

#include "data/plays.hpp"
#include "train/text_partition.hpp"

namespace fleet {

struct RoleText {
  std::string text;                ///< in printable ASCII and '\n'
  std::vector<std::string> plays;  ///< titles
  std::vector<TextRole> roles;     ///< cover the text, in its order
};

/// Every line of a role ends with '\n', or with a space if not `line_ends`, as in LEAF.
[[nodiscard]] RoleText gather_roles(const PlayCollection& collection, bool line_ends);

}  // namespace fleet
