#include "model/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.hpp"
#include "base/multiversion.hpp"

namespace fleet {
namespace {

FLEET_MULTIVERSION
void adam(const OptimizerStep s, std::size_t size, float* __restrict w, const float* __restrict gradient,
          float* __restrict m, float* __restrict v) {
  for (std::size_t i = 0; i < size; ++i) {
    const float g = gradient[i] + s.decay * w[i];
    m[i] = s.beta1 * m[i] + (1.0F - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1.0F - s.beta2) * g * g;
    w[i] -= s.rate * m[i] / (std::sqrt(v[i]) * s.root_scale + s.epsilon);
  }
}

FLEET_MULTIVERSION
void sgd(float rate, float decay, std::size_t size, float* __restrict w, const float* __restrict gradient) {
  for (std::size_t i = 0; i < size; ++i) w[i] -= rate * (gradient[i] + decay * w[i]);
}

FLEET_MULTIVERSION
void sgd_momentum(float rate, float decay, float momentum, std::size_t size, float* __restrict w,
                  const float* __restrict gradient, float* __restrict velocity) {
  for (std::size_t i = 0; i < size; ++i) {
    velocity[i] = momentum * velocity[i] + gradient[i] + decay * w[i];
    w[i] -= rate * velocity[i];
  }
}

}  // namespace

double RateSchedule::factor(std::int64_t step, std::int64_t total) const {
  if (step < warmup_steps) return static_cast<double>(step + 1) / static_cast<double>(warmup_steps);
  if (kind == Kind::kConstant) return 1.0;
  const auto span = static_cast<double>(std::max<std::int64_t>(1, total - warmup_steps));
  const double done = std::min(1.0, static_cast<double>(step - warmup_steps) / span);
  return floor + (1.0 - floor) * 0.5 * (1.0 + std::cos(std::numbers::pi * done));
}

Optimizer::Optimizer(const OptimizerOptions& options, std::size_t size) : options_(options) {
  if (options.kind == OptimizerOptions::Kind::kAdam) options_.squares = {false, true};
  if (options.kind == OptimizerOptions::Kind::kSgd) options_.squares.assign(options.momentum > 0.0 ? 1 : 0, false);
  const std::size_t count = options_.squares.size();
  moments_.assign(count, Eigen::VectorXf::Zero(static_cast<Eigen::Index>(size)));
}

OptimizerStep Optimizer::count_step(double factor) {
  const auto t = static_cast<double>(++steps_);
  const bool adam = options_.kind == OptimizerOptions::Kind::kAdam;
  const double rate = options_.learning_rate * factor;
  return {.kind = options_.kind,
          .rate = static_cast<float>(adam ? rate / (1.0 - std::pow(options_.beta1, t)) : rate),
          .decay = static_cast<float>(options_.weight_decay),
          .beta1 = static_cast<float>(options_.beta1),
          .beta2 = static_cast<float>(options_.beta2),
          .root_scale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(options_.beta2, t))),
          .epsilon = static_cast<float>(options_.epsilon),
          .momentum = static_cast<float>(options_.momentum)};
}

void Optimizer::step(std::span<float> weights, std::span<const float> gradient, double factor) {
  const OptimizerStep s = count_step(factor);
  if (s.kind == OptimizerOptions::Kind::kAdam) {
    adam(s, weights.size(), weights.data(), gradient.data(), moments_[0].data(), moments_[1].data());
  } else if (moments_.empty()) {
    sgd(s.rate, s.decay, weights.size(), weights.data(), gradient.data());
  } else {
    sgd_momentum(s.rate, s.decay, s.momentum, weights.size(), weights.data(), gradient.data(), moments_[0].data());
  }
}

void Optimizer::reset() {
  for (Eigen::VectorXf& moment : moments_) moment.setZero();
  steps_ = 0;
}

void Optimizer::transform(const SymmetrySpec& symmetry, const GroupElement& element) {
  const GroupElement of_squares = parts_of(element).permutations;  // which have no signs
  for (std::size_t m = 0; m < moments_.size(); ++m) {
    const std::span<float> moment(moments_[m].data(), static_cast<std::size_t>(moments_[m].size()));
    symmetry.apply(options_.squares[m] ? of_squares : element, moment);
  }
}

void Optimizer::save(StateWriter& state) const {
  state.write(steps_);
  state.write(static_cast<std::uint64_t>(moments_.size()));
  for (const Eigen::VectorXf& moment : moments_) {
    state.write_all(std::span(moment.data(), static_cast<std::size_t>(moment.size())));
  }
}

void Optimizer::load(StateReader& state) {
  steps_ = state.read<std::int64_t>();
  const auto count = state.read<std::uint64_t>();
  require(count == moments_.size(), "an optimiser of ", moments_.size(), " moments cannot go on from ", count);
  for (Eigen::VectorXf& moment : moments_) {
    state.read_into(std::span(moment.data(), static_cast<std::size_t>(moment.size())));
  }
}

}  // namespace fleet
