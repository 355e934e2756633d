// First-order optimisers on flat buffers: one fused pass over weights, gradient and moments per step.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <span>
#include <vector>

#include "base/state.hpp"

namespace fleet {

struct OptimizerOptions {
  enum class Kind { kAdam, kSgd };
  Kind kind = Kind::kAdam;
  double learning_rate = 1e-3;
  double weight_decay = 0.0;  ///< L2: decay * weight is added to the gradient
  double momentum = 0.0;      ///< SGD only
  double beta1 = 0.9;         ///< Adam only, as the three below (Kingma and Ba, 2015, Algorithm 1)
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Updates one weight buffer in place and holds its moments. Agrees with torch::optim::Adam and SGD.
class Optimizer {
 public:
  Optimizer(const OptimizerOptions& options, std::size_t size);

  /// One step. `weights` and `gradient` have the size given above.
  void step(std::span<float> weights, std::span<const float> gradient);
  /// As new: zero moments, zero steps.
  void reset();

  /// Adam's first and second moment, SGD's velocity, or nothing; each laid out as the weights are.
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
