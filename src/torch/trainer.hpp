// The gradient steps of one robot, at the place where its network computes. Seen only inside src/torch.
#pragma once

#include "model/optimizer.hpp"
#include "torch/classroom.hpp"

namespace fleet {

/// For the length of a training call weights, gradient and the optimiser's moments stay at that place: on the host they
/// are the robot's own; elsewhere they are copies, and finish() brings them home.
class Trainer {
 public:
  /// All outlive the object.
  Trainer(Classroom& classroom, ParamVector& weights, Optimizer& optimizer);

  /// Mean loss on the batch that the classroom's samples hold; the gradient is kept for follow_gradient().
  [[nodiscard]] torch::Tensor find_gradient(Pass& pass);
  /// Of another loss of the network's outputs for `inputs`.
  [[nodiscard]] torch::Tensor find_gradient(const Loss& loss, const torch::Tensor& inputs, Pass& pass);
  /// The same, added to the gradient that is there.
  [[nodiscard]] torch::Tensor add_gradient(const Loss& loss, const torch::Tensor& inputs, Pass& pass);
  /// Adds `term` to that gradient.
  void add(const GradientTerm& term);
  /// One step of the optimiser at `factor` times the learning rate, by the gradient clipped to its greatest norm, of
  /// all weights but running statistics, which decay would shrink.
  void follow_gradient(double factor);
  void finish();

 private:
  void clip(double bound);

  Classroom& classroom_;
  const Place& place_;
  ParamVector& weights_;
  Optimizer& optimizer_;
  PlacedVector placed_weights_;
  PlacedVector gradient_;
  std::vector<torch::Tensor> moments_;  // elsewhere than on the host
};

}  // namespace fleet
