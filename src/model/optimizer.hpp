// First-order optimisers on flat buffers: one fused pass over weights, gradient and moments per step.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <vector>

#include "base/state.hpp"
#include "model/symmetry.hpp"

namespace fleet {

struct OptimizerOptions {
  enum class Kind {
    kAdam,
    kSgd,
    kElsewhere,  ///< another program takes the steps; its moments are carried along with the weights
  };
  Kind kind = Kind::kAdam;
  double learning_rate = 1e-3;
  double weight_decay = 0.0;  ///< L2: decay * weight is added to the gradient
  double momentum = 0.0;      ///< SGD only
  double beta1 = 0.9;         ///< Adam only, as the three below (Kingma and Ba, 2015, Algorithm 1)
  double beta2 = 0.999;
  double epsilon = 1e-8;
  std::vector<bool> squares = {};  ///< kElsewhere only: of each moment, whether it is of squares, which have no sign
};

/// What the learning rate is multiplied by as training goes on.
struct RateSchedule {
  enum class Kind { kConstant, kCosine };
  Kind kind = Kind::kConstant;
  std::int64_t warmup_steps = 0;
  double floor = 0.0;  ///< what a cosine comes down to

  /// At step `step` (from 0) of `total`: (step + 1) / warmup_steps while it warms up, then 1, or from 1 down along half
  /// a cosine that would be at `floor` after the last step (Loshchilov and Hutter, "SGDR", ICLR 2017, eq. 5).
  [[nodiscard]] double factor(std::int64_t step, std::int64_t total) const;
};

/// The numbers of one step, all but the moments: with g = gradient + decay * w, Adam does m = beta1 m + (1 - beta1) g,
/// v = beta2 v + (1 - beta2) g^2, w -= rate * m / (sqrt(v) * root_scale + epsilon); SGD u = momentum u + g,
/// w -= rate * u.
struct OptimizerStep {
  OptimizerOptions::Kind kind;
  float rate;  ///< Adam's is divided by 1 - beta1^t
  float decay;
  float beta1, beta2;
  float root_scale;  ///< 1 / sqrt(1 - beta2^t)
  float epsilon;
  float momentum;
};

/// Updates one weight buffer in place and holds its moments. Agrees with torch::optim::Adam and SGD.
class Optimizer {
 public:
  Optimizer(const OptimizerOptions& options, std::size_t size);

  /// One step, at `factor` times the learning rate. `weights` and `gradient` have the size given above.
  void step(std::span<float> weights, std::span<const float> gradient, double factor = 1.0);
  /// Counts a step at `factor` times the learning rate that is taken elsewhere, on copies of weights and moments().
  [[nodiscard]] OptimizerStep count_step(double factor);
  /// Counts steps that were taken elsewhere, moments and all.
  void count_steps(std::int64_t steps) { steps_ += steps; }
  /// As new: zero moments, zero steps.
  void reset();
  /// Goes on as if it had always trained the weights that `element` makes of those it has trained.
  void transform(const SymmetrySpec& symmetry, const GroupElement& element);

  /// Adam's first and second moment, SGD's velocity, those of another program, or nothing; each laid out as the weights
  /// are.
  [[nodiscard]] std::span<Eigen::VectorXf> moments() { return moments_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }

  /// Moments and steps. load() throws Error for the state of another kind or size.
  void save(StateWriter& state) const;
  void load(StateReader& state);

 private:
  OptimizerOptions options_;
  std::vector<Eigen::VectorXf> moments_;
  std::int64_t steps_ = 0;
};

}  // namespace fleet
