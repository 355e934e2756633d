// Merging methods that need neither data nor an alignment: arithmetic on weights, element by element, on models that
// come from one base. A part of a tensor at a time is enough for them, so that models need not fit into memory.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace fleet {

enum class Arithmetic {
  kAverage,      ///< sum_i w_i theta_i / sum_i w_i
  kInterpolate,  ///< (1 - t) theta_1 + t theta_2
  kTask,         ///< theta_0 + s sum_i w_i (theta_i - theta_0) (Ilharco et al., 2023)
  kTies,    ///< task vectors trimmed, a sign elected, those of that sign averaged (Yadav et al., 2023, Algorithm 1)
  kDare,    ///< entries of task vectors dropped at random, the others scaled up (Yu et al., 2024, equation 1)
  kFisher,  ///< sum_i w_i F_i theta_i / sum_i w_i F_i, diagonals F_i given (Matena and Raffel, 2022, equation 4)
};
inline constexpr std::array<std::pair<std::string_view, Arithmetic>, 6> kArithmetics{{
    {"average", Arithmetic::kAverage},
    {"interpolate", Arithmetic::kInterpolate},
    {"task-arithmetic", Arithmetic::kTask},
    {"ties", Arithmetic::kTies},
    {"dare", Arithmetic::kDare},
    {"fisher", Arithmetic::kFisher},
}};

[[nodiscard]] constexpr bool needs_base(Arithmetic method) {
  return method == Arithmetic::kTask || method == Arithmetic::kTies || method == Arithmetic::kDare;
}

/// The same entries of one tensor in every model.
template <class Real>
struct ArithmeticInput {
  std::span<const std::span<const Real>> models;
  std::span<const double> weights;                     ///< w_i; of interpolation, 1 - t and t
  std::span<const Real> base = {};                     ///< theta_0
  std::span<const std::span<const Real>> fisher = {};  ///< F_i, none negative
  double scale = 1.0;                                  ///< s
  double density = 1.0;                                ///< of DARE: the share of entries that is kept
  std::span<const float> thresholds = {};              ///< of TIES, per model: smaller changes are trimmed
  std::uint64_t stream = 0;                            ///< of DARE: names the random numbers of this tensor
  std::uint64_t first = 0;                             ///< of DARE: place of the first entry in its tensor
};

/// Writes the merged entries to `out`. Sums run in the order of the models.
void combine(Arithmetic method, const ArithmeticInput<float>& input, std::span<float> out);
void combine(Arithmetic method, const ArithmeticInput<double>& input, std::span<double> out);

/// Finds how large a change must be to belong to the largest `kept` of a tensor, in two passes over its changes in
/// whatever parts they come, exactly and without holding them.
class MagnitudeThreshold {
 public:
  /// In the first pass, then again, after narrow(), in the second.
  void add(std::span<const float> changes);
  /// Between the passes.
  void narrow(std::uint64_t kept);
  /// The magnitude of the kept-th largest change; all of that magnitude are among the kept. Above all of them where
  /// none is kept.
  [[nodiscard]] float value() const;

 private:
  std::array<std::uint64_t, 1U << 16U> counts_{};
  std::uint64_t left_ = 0;   ///< of those kept, how many lie in the part that the second pass looks at
  std::uint32_t upper_ = 0;  ///< the upper half of its bits
  bool narrowed_ = false;
  bool keeps_none_ = false;
};

}  // namespace fleet
