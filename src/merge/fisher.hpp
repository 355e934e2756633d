// Fisher merging: average every weight by how much each robot's loss depends on it.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.fisher.*".
[[nodiscard]] std::unique_ptr<Merger> make_fisher(SettingsReader& settings);

}  // namespace fleet
