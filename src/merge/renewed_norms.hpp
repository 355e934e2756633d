// Batch normalisation behind a merge. The mean of robots' running statistics is not what the merged network's layers
// put out: their variance collapses (Jordan et al., REPAIR, 2023). So they are measured anew, on the robots' own data.
#pragma once

#include <memory>

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.renew_norms" (true).
[[nodiscard]] bool read_renew_norms(SettingsReader& settings);

/// `method`, whose merged network then gets the mean and variance of every normalised map's outputs over the
/// participants' training data, map by map in the order data passes them: the reset of Jordan et al., on data that no
/// robot sends. What crosses the network is two numbers an output and their count. Of networks without batch
/// normalisation it is `method` alone.
[[nodiscard]] std::unique_ptr<Merger> with_renewed_norms(std::unique_ptr<Merger> method);

}  // namespace fleet
