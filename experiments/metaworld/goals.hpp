// The variations of a task: the benchmark's own, number for number, and as many others as wanted.
#pragma once

#include <span>
#include <vector>

#include "base/random.hpp"
#include "metaworld/task.hpp"

namespace fleet::metaworld {

inline constexpr int kBenchmarkGoals = 50;

/// Draws `count` variations of each task, one task after another, from the generator that the reference seeds with
/// `seed`: [task][goal]. Of one task alone, its MT1 benchmark; of all 50 in order, MT50.
[[nodiscard]] std::vector<std::vector<Variation>> benchmark_variations(std::span<const int> tasks, std::uint32_t seed,
                                                                       int count = kBenchmarkGoals);

/// A variation from a stream of our own.
[[nodiscard]] Variation draw_variation(const TaskSpec& task, RandomStream& stream);

}  // namespace fleet::metaworld
