// A network as the affine maps that data passes through: y = [W_1 W_2 ... b] [x_1; x_2; ...; 1].
//
// Methods that merge layer by layer see every layer this way, whatever its kind: a convolution is a map of patches, the
// gates of a recurrent cell one map of input and state together.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/param_layout.hpp"

namespace fleet {

struct AffineMap {
  std::string name;                  ///< e.g. "layers.0"
  std::vector<std::size_t> weights;  ///< tensors side by side; of each the first axis counts outputs, the rest inputs
  std::optional<std::size_t> bias;   ///< the last column, if there is one
  bool sees_data = false;            ///< its inputs do not depend on the network's weights

  [[nodiscard]] Eigen::Index outputs(const ParamLayout& layout) const;
  /// Columns, that of the bias included.
  [[nodiscard]] Eigen::Index inputs(const ParamLayout& layout) const;
  /// [W_1 W_2 ... b] of `weights`, outputs x inputs.
  [[nodiscard]] RowMatrix matrix(const ParamVector& parameters) const;
  /// The inverse of matrix(): writes `matrix` into its tensors.
  void assign(const RowMatrix& matrix, ParamVector& parameters) const;
};

}  // namespace fleet
