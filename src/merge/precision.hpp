// What robots send of their weights in fewer bits: the difference from what everybody knows, rounded, and what rounding
// has lost added to the next difference (error feedback: Seide et al., 2014; Karimireddy et al., 2019).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "merge/merger.hpp"

namespace fleet {

/// Reads "merge.precision" ("float32").
[[nodiscard]] Precision read_precision(SettingsReader& settings);

/// Bytes of a network's weights: 4 or 2 each, or 1 each and 4 for the scale of every row of a tensor's first axis.
/// Means and variances of batch normalisations, which rounding could make negative, are sent as they are.
[[nodiscard]] std::uint64_t weight_bytes(Precision precision, const ParamLayout& layout,
                                         std::span<const AffineMap> maps);

/// Rounds to the nearest: to 8 bits of significand, or to a step of a row of which its largest number is 127 (a tensor
/// of one axis is one row). A number that is 0 stays so.
void round_weights(Precision precision, const ParamLayout& layout, std::span<const AffineMap> maps,
                   std::span<float> weights);

/// `method`, which sees of its participants what arrives: c + Q(w_i - c + e_i), where c is the last merged policy or
/// what robots are known to begin with (MergerNeeds::center), and e_i what rounding has lost of robot i so far. Robots
/// answer questions at those weights, too. Where the merge has permuted a robot's units, e_i is permuted likewise.
[[nodiscard]] std::unique_ptr<Merger> with_precision(std::unique_ptr<Merger> method, Precision precision);

}  // namespace fleet
