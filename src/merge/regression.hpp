// Merging by layer regression with a solved head: ours, beyond FLEET-MERGE.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.regression.*".
[[nodiscard]] std::unique_ptr<Merger> make_regression(SettingsReader& settings);

}  // namespace fleet
