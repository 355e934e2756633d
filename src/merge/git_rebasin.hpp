// Git Re-Basin: permute models until their weights are near each other, then average.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// "merge.git-rebasin.weighted": the average counts robots by their samples (default), or equally.
[[nodiscard]] std::unique_ptr<Merger> make_git_rebasin(SettingsReader& settings);

}  // namespace fleet
