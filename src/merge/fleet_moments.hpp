// Least squares over a whole fleet: second moments summed over the robots, solved at the root. What crosses the network
// per affine map is O(inputs (inputs + outputs)), whatever the number of robots and samples.
#pragma once

#include <Eigen/Cholesky>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "merge/merger.hpp"

namespace fleet {

/// A matrix's numbers, in the order in which it stores them.
template <typename Matrix>
auto flat(Matrix& matrix) {
  return std::span(matrix.data(), static_cast<std::size_t>(matrix.size()));
}

/// Whether a map of the input is the network's last, whose moments are sent in double precision: its solution follows
/// directions that single precision takes away.
[[nodiscard]] bool is_head(const MergeInput& input, const AffineMap& map);
/// What is left of numbers that cross the network in single precision, as other moments do.
void to_single(std::span<double> numbers);
/// The lower half of a symmetric matrix, row by row, and back.
[[nodiscard]] std::vector<double> half_of(const DoubleMatrix& symmetric);
void from_half(std::span<const double> half, DoubleMatrix& symmetric);

/// The sum over the fleet of second moments of what enters a map: half_of() those of each of `robots` of this rank, in
/// single precision unless `in_double`. Of a map that sees the data themselves they are sent only if any have changed
/// (MergeInput::known). Collective.
[[nodiscard]] DoubleMatrix sum_inputs(const MergeInput& input, const Comm& comm, const AffineMap& map,
                                      std::span<const int> robots, std::vector<std::vector<double>> halves,
                                      bool in_double);

/// The sum over the fleet of what `ask` gets for each row of the input, if anything, as it is sent. Collective.
[[nodiscard]] MapMoments sum_moments(const MergeInput& input, const Comm& comm, const AffineMap& map,
                                     const std::function<std::optional<MapMoments>(std::size_t row)>& ask);

/// G + weight I of second moments G (d x d), which a ridge makes positive definite.
struct RidgedMoments {
  Eigen::LLT<Eigen::MatrixXd> factor;
  double weight = 0.0;  ///< ridge tr(G) / d
};

/// With `ridge` or, where moments of `samples` samples, summed in single precision, are not positive definite with it,
/// with the least power of ten times it that will do, to 1e-2. Error beyond.
[[nodiscard]] RidgedMoments add_ridge(const Eigen::MatrixXd& moments, double ridge, double samples);

/// argmin_W sum |W x - t|^2 + ridge tr(G) / d |W - prior|^2 with G = sum x x^T (d x d): outputs x inputs, on every
/// rank; the ridge may grow as in add_ridge(). Each further pass is drawn to
/// what the last has found. Collective. Error if the moments are not finite.
[[nodiscard]] RowMatrix solve_map(const MergeInput& input, const MapMoments& moments, double ridge,
                                  const RowMatrix& prior, const Comm& comm, int passes = 1);

/// OutputSums of `map` in `at`, one with a norm, behind rows whose second moments are `inputs`, sum x x^T.
[[nodiscard]] OutputSums outputs_behind(const DoubleMatrix& inputs, const AffineMap& map, const ParamVector& at);

/// Makes `matrix` that of `map` in `parameters`; a norm of the map's takes the statistics of its outputs over data
/// whose second moments are `inputs`, sum x x^T as it is.
void write_map(const AffineMap& map, const RowMatrix& matrix, const DoubleMatrix& inputs, ParamVector& parameters);

}  // namespace fleet
