// Merging of models that need not fit into memory: read, combined and written a few million weights at a time, by all
// ranks, each its part of the tensors.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "comm/comm.hpp"
#include "io/weight_files.hpp"
#include "merge/weight_arithmetic.hpp"

namespace fleet {

struct ArithmeticMerge {
  Arithmetic method = Arithmetic::kAverage;
  std::vector<double> weights;  ///< per model; of interpolation unused
  /// Of interpolation, t by the name of a tensor: that of the first pattern that fits it. * stands for anything.
  std::vector<std::pair<std::string, double>> shares;
  double scale = 1.0;
  double density = 1.0;  ///< of TIES and DARE, in (0, 1]
  std::uint64_t seed = 0;
  const WeightFiles* base = nullptr;       ///< of those methods that need one
  std::vector<const WeightFiles*> fisher;  ///< per model, of the method of that name
};

/// What is to be told of a merge.
struct MergeReport {
  std::vector<std::string> from_first;  ///< tensors of whole numbers that differ: taken from the first model
  std::uint64_t bytes_read = 0;         ///< by all ranks
  std::uint64_t bytes_written = 0;
};

/// Error if the models, the base and the diagonals do not go together, if a tensor's type cannot be merged, or if no
/// pattern fits a tensor. Nothing is read but headers.
void check_arithmetic(const ArithmeticMerge& merge, const std::vector<WeightFiles>& models);

/// Collective. Merges `models` into `target`, laid out as the first of them is; the same bytes for any number of ranks.
/// What PyTorch's batch norms call running_mean and running_var are statistics: methods that add changes to a base take
/// their mean, as added changes of variances might come to less than nought.
/// Error naming file and tensor where a weight is not finite, or a diagonal has a number that is no mean of squares.
MergeReport merge_arithmetic(const ArithmeticMerge& merge, const std::vector<WeightFiles>& models,
                             const std::filesystem::path& target, const Metadata& metadata, const Comm& comm);

/// Whether `name` fits a pattern in which * stands for any number of characters.
[[nodiscard]] bool fits_pattern(std::string_view name, std::string_view pattern);

}  // namespace fleet
