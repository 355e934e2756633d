// SCAFFOLD: averaging with control variates against the drift of robots whose data differ.
#pragma once

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.scaffold.*".
[[nodiscard]] std::unique_ptr<Merger> make_scaffold(SettingsReader& settings);

}  // namespace fleet
