// Several methods tried on the same fleet, the best kept.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// "merge.best-of.candidates": names of methods that merge; each reads its own options.
[[nodiscard]] std::unique_ptr<Merger> make_best_of(SettingsReader& settings);

}  // namespace fleet
