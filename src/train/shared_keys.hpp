// What keys mean that several readers read alike.
#pragma once

#include "base/settings.hpp"

namespace fleet::about {

inline constexpr Sentence kSeed("Names every random stream of a cell: another seed is another trial.");
inline constexpr Sentence kRobots("Robots of the fleet, each with data of its own.");
inline constexpr Sentence kAlpha(
    "Concentration of the Dirichlet draws that deal the data; small: robots see very different data.");
inline constexpr Sentence kInitialization("Whether robots start from different weights or from the same.");
inline constexpr Sentence kDevice("What ranks compute on: processors, or the GPUs of their node.");

}  // namespace fleet::about
