// Merging by layer regression with a solved head: ours, beyond FLEET-MERGE.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.regression.*".
[[nodiscard]] std::unique_ptr<Merger> make_regression(SettingsReader& settings);
/// The same with every kind of candidate, and nothing to set but "merge.choose".
[[nodiscard]] std::unique_ptr<Merger> make_auto(SettingsReader& settings);
/// The same for policies that have but few steps behind them since they were one: their mean as it is, with a solved
/// head.
[[nodiscard]] std::unique_ptr<Merger> make_solved_mean(bool renew_norms, int head_iterations);

}  // namespace fleet
