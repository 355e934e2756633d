// What a method may ask of a robot beside numbers: a short run of training, and how its loss curves.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

#include "model/param_layout.hpp"

namespace fleet {

/// A short run of Adam on a robot's own data, from weights that it is handed, with moments of zero.
struct LocalSteps {
  std::int64_t steps = 100;
  std::int64_t before = 0;   ///< taken in earlier runs
  std::int64_t total = 100;  ///< of all runs together
  double learning_rate = 1e-3;

  /// What the learning rate is multiplied by at step `step` (from 0): it warms up over the first quarter of a run or 20
  /// steps, and comes down along one cosine over all runs, to 5 %.
  [[nodiscard]] double factor(std::int64_t step) const {
    constexpr double kFloor = 0.05;
    const auto warm_up = static_cast<double>(std::clamp<std::int64_t>(steps / 4, 1, 20));
    const double done = static_cast<double>(before + step) / static_cast<double>(std::max<std::int64_t>(1, total));
    const double cosine = kFloor + (1.0 - kFloor) * 0.5 * (1.0 + std::cos(std::numbers::pi * std::min(1.0, done)));
    return std::min(1.0, static_cast<double>(step + 1) / warm_up) * cosine;
  }
};

/// What is added to the gradient of a robot's loss while it takes local steps.
class GradientTerm {
 public:
  virtual ~GradientTerm() = default;
  virtual void add_to(const ParamVector& at, ParamVector& gradient) const = 0;
};

/// How the loss curves in the weights of one affine map: Kronecker factors of the generalised Gauss-Newton matrix
/// (Martens and Grosse, 2015). Rows are those that enter the map, of a convolution or a sequence many a sample.
struct MapCurvature {
  DoubleMatrix inputs;   ///< sum over rows of h h^T, h what enters the map, its constant included
  DoubleMatrix outputs;  ///< sum over rows of d d^T, d the gradient at the map's outputs of a loss whose targets are
                         ///< drawn from the network's own outputs
  double rows = 0.0;
};

/// Sums over a robot's samples.
struct Curvature {
  ParamVector gradient;            ///< of the summed loss
  std::vector<MapCurvature> maps;  ///< in their order
  double samples = 0.0;
};

}  // namespace fleet
