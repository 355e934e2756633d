// Git Re-Basin: permute models until their weights are near each other, then average.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.git-rebasin.*".
[[nodiscard]] std::unique_ptr<Merger> make_git_rebasin(SettingsReader& settings);

}  // namespace fleet
