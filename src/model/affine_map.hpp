// A network as the affine maps that data passes through: y = [W_1 W_2 ... b] [x_1; x_2; ...; 1].
//
// Methods that merge layer by layer see every layer this way, whatever its kind: a convolution is a map of patches, the
// gates of a recurrent cell one map of input and state together.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/param_layout.hpp"

namespace fleet {

/// Batch normalisation of a map's outputs u, as it acts outside training:
/// y = scale (u - mean) / sqrt(variance + epsilon) + shift. Positions of its tensors.
struct BatchNorm {
  static constexpr float kEpsilon = 1e-5F;
  std::size_t scale = 0;
  std::size_t shift = 0;
  std::size_t mean = 0;
  std::size_t variance = 0;
};

/// Of a map's outputs over some data, one entry per output.
struct OutputStatistics {
  Eigen::VectorXf mean;
  Eigen::VectorXf variance;
};

struct AffineMap {
  std::string name;                  ///< e.g. "layers.0"
  std::vector<std::size_t> weights;  ///< tensors side by side; of each the first axis counts outputs, the rest inputs
  std::optional<std::size_t> bias;   ///< the last column, if there is one
  std::optional<BatchNorm> norm;     ///< folded into the matrix, with a last column of its own; then there is no bias
  bool sees_data = false;            ///< its inputs do not depend on the network's weights
  bool recurrent = false;            ///< its inputs depend on its own outputs

  [[nodiscard]] Eigen::Index outputs(const ParamLayout& layout) const;
  [[nodiscard]] bool has_constant() const { return bias || norm; }
  /// Columns, that of the bias included.
  [[nodiscard]] Eigen::Index inputs(const ParamLayout& layout) const;
  /// [W_1 W_2 ... b] of `weights`, outputs x inputs.
  [[nodiscard]] RowMatrix matrix(const ParamVector& parameters) const;
  /// The inverse of matrix(): writes `matrix` into its tensors. With a norm the map's outputs must be known: their mean
  /// and variance over the data, which become the norm's own.
  void assign(const RowMatrix& matrix, ParamVector& parameters, const OutputStatistics* statistics = nullptr) const;
  /// matrix() before any norm, which leaves the last column zero; and what adds such a matrix to the tensors.
  [[nodiscard]] RowMatrix plain_matrix(const ParamVector& parameters) const;
  void add(const RowMatrix& plain, ParamVector& parameters) const;
};

/// Whether some of `maps` have a batch normalisation.
[[nodiscard]] bool has_batch_norm(std::span<const AffineMap> maps);

}  // namespace fleet
