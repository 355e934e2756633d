// Merging by layer regression with a solved head: ours, beyond FLEET-MERGE.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.regression.*".
[[nodiscard]] std::unique_ptr<Merger> make_regression(SettingsReader& settings);
/// The same with every kind of candidate, and nothing to set but "merge.choose".
[[nodiscard]] std::unique_ptr<Merger> make_auto(SettingsReader& settings);
/// How layers before the last are merged of policies that have but few steps behind them since they were one.
enum class NearBody {
  kAuto,        ///< regressed where robots imitate, averaged where they classify
  kAverage,     ///< the mean as it is
  kRegression,  ///< layers regressed; none is aligned
};
/// The same for such policies, with a solved head.
[[nodiscard]] std::unique_ptr<Merger> make_near_regression(NearBody body, bool renew_norms, int head_iterations);

}  // namespace fleet
