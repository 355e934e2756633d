// RegMean: every layer by least squares on the robots' own features.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.regmean.*".
[[nodiscard]] std::unique_ptr<Merger> make_regmean(SettingsReader& settings);

}  // namespace fleet
