// Batch normalisation behind a merge. The mean of robots' running statistics is not what the merged network's layers
// put out: their variance collapses (Jordan et al., REPAIR, 2023). So they are measured anew, on the robots' own data.
#pragma once

#include <memory>

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.renew_norms" (true).
[[nodiscard]] bool read_renew_norms(SettingsReader& settings);

/// Gives every normalised map of `network` the mean and variance of its outputs over training data of the participants,
/// map by map in the order data passes them: the reset of Jordan et al., on data that no robot sends. Robots answer in
/// the basis that they are in. What crosses the network is two numbers an output and their count. Of networks without
/// batch normalisation nothing is done. Collective.
void renew_norms(const MergeInput& input, ParamVector& network, const Comm& comm);

/// `method`, whose merged network is renewed, unless it is a single robot's. For methods that do not do so themselves
/// with what they judge or remember (Merger::renews_norms).
[[nodiscard]] std::unique_ptr<Merger> with_renewed_norms(std::unique_ptr<Merger> method);

/// The same, where "merge.renew_norms" asks for it and the method does not do so itself.
[[nodiscard]] std::unique_ptr<Merger> renewing(std::unique_ptr<Merger> method, SettingsReader& settings);

}  // namespace fleet
