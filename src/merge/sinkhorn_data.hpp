// Sinkhorn re-basin (Pena et al., 2023) in place of weight matching in MergeMany: the baseline "sinkhorn-data".
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.sinkhorn-data.*".
[[nodiscard]] std::unique_ptr<Merger> make_sinkhorn_data(SettingsReader& settings);

}  // namespace fleet
