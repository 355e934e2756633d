#include "torch/trainer.hpp"

namespace fleet {
namespace {

std::span<float> values_of(Eigen::VectorXf& moment) {
  return {moment.data(), static_cast<std::size_t>(moment.size())};
}

/// Optimizer::step() in LibTorch's operations, which run anywhere but round otherwise.
void take_step(const OptimizerStep& s, torch::Tensor& weights, const torch::Tensor& gradient,
               std::vector<torch::Tensor>& moments) {
  const torch::Tensor g = s.decay > 0.0F ? gradient.add(weights, s.decay) : gradient;
  if (s.kind == OptimizerOptions::Kind::kAdam) {
    moments[0].mul_(s.beta1).add_(g, 1.0F - s.beta1);
    moments[1].mul_(s.beta2).addcmul_(g, g, 1.0F - s.beta2);
    weights.addcdiv_(moments[0], moments[1].sqrt().mul_(s.root_scale).add_(s.epsilon), -s.rate);
  } else if (moments.empty()) {
    weights.add_(g, -s.rate);
  } else {
    moments[0].mul_(s.momentum).add_(g);
    weights.add_(moments[0], -s.rate);
  }
}

}  // namespace

Trainer::Trainer(Classroom& classroom, ParamVector& weights, Optimizer& optimizer)
    : classroom_(classroom),
      place_(classroom.plan.place),
      weights_(weights),
      optimizer_(optimizer),
      placed_weights_(place_.bring(weights)),
      gradient_(place_.room_for(classroom.gradient)) {
  if (place_.is_host()) return;
  for (Eigen::VectorXf& moment : optimizer.moments()) moments_.push_back(place_.bring(values_of(moment)));
}

torch::Tensor Trainer::find_gradient(Pass& pass) {
  pass.steps = classroom_.samples->steps();
  return backpropagate(*classroom_.network, *classroom_.objective, placed_weights_.tensors,
                       classroom_.samples->inputs(), classroom_.samples->targets(), pass, gradient_.tensors);
}

torch::Tensor Trainer::find_gradient(const Loss& loss, const torch::Tensor& inputs, Pass& pass) {
  return backpropagate(*classroom_.network, loss, placed_weights_.tensors, inputs, pass, gradient_.tensors);
}

torch::Tensor Trainer::add_gradient(const Loss& loss, const torch::Tensor& inputs, Pass& pass) {
  const torch::Tensor before = gradient_.flat.clone();
  const torch::Tensor reached = find_gradient(loss, inputs, pass);
  gradient_.flat.add_(before);
  return reached;
}

void Trainer::add(const GradientTerm& term) {
  place_.fetch(placed_weights_.flat, weights_.flat());
  place_.fetch(gradient_.flat, classroom_.gradient.flat());
  term.add_to(weights_, classroom_.gradient);
  if (!place_.is_host()) gradient_.flat.copy_(place_.bring(std::span<const float>(classroom_.gradient.flat())));
}

void Trainer::follow_gradient(double factor) {
  const torch::NoGradGuard no_grad;
  if (const double bound = classroom_.options.clip_norm; bound > 0.0) clip(bound);
  std::vector<torch::Tensor> kept;
  for (const std::size_t tensor : classroom_.statistics) kept.push_back(placed_weights_.tensors[tensor].clone());
  if (place_.is_host()) {
    optimizer_.step(weights_.flat(), classroom_.gradient.flat(), factor);
  } else {
    take_step(optimizer_.count_step(factor), placed_weights_.flat, gradient_.flat, moments_);
  }
  for (std::size_t i = 0; i < kept.size(); ++i) placed_weights_.tensors[classroom_.statistics[i]].copy_(kept[i]);
}

void Trainer::clip(double bound) {
  if (!place_.is_host()) {  // without waiting for the norm
    gradient_.flat.mul_((bound / gradient_.flat.norm()).clamp_max(1.0));
    return;
  }
  const std::span<float> values = classroom_.gradient.flat();
  Eigen::Map<Eigen::VectorXf> gradient(values.data(), std::ssize(values));
  if (const double norm = gradient.stableNorm(); norm > bound) gradient *= static_cast<float>(bound / norm);
}

void Trainer::finish() {
  place_.fetch(placed_weights_.flat, weights_.flat());
  for (std::size_t i = 0; i < moments_.size(); ++i) place_.fetch(moments_[i], values_of(optimizer_.moments()[i]));
}

}  // namespace fleet
