// Every way of merging that a sweep can name: those of src/merge, and those that live in other processes.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "merge/merger.hpp"
#include "sweep/world.hpp"

namespace fleet {

/// In the order they are listed to users.
[[nodiscard]] std::span<const MergerEntry> method_table();
/// The entry called `name`; Error if there is none.
[[nodiscard]] const MergerEntry& find_method(std::string_view name);

/// Why policies of a workload, as its facts say, cannot be merged by a method that needs this; "" where they can.
[[nodiscard]] std::string obstacle(const CellFacts& facts, const MergerNeeds& needs, const std::string& workload);

}  // namespace fleet
