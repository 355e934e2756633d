// Averaging weights as they are.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// "merge.average.weighted": robots count by their samples (default), or equally.
[[nodiscard]] std::unique_ptr<Merger> make_average(SettingsReader& settings);

}  // namespace fleet
