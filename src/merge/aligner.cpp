#include <cmath>

#include "base/error.hpp"
#include "merge/fleet_merge.hpp"
#include "merge/linear_assignment.hpp"
#include "merge/sinkhorn.hpp"
#include "model/optimizer.hpp"

namespace fleet {

struct Aligner::Group {
  RowMatrix scores;  // X; of the literal step P - eta dL/dP
  Sinkhorn sinkhorn;
  Optimizer optimizer;
};

Aligner::Aligner(const FleetMergeOptions& options, const SymmetrySpec& symmetry, const ParamVector& weights,
                 const RelaxedElement& start)
    : options_(options),
      action_(symmetry, weights),
      relaxed_(start),
      gradient_(start),
      mixed_(weights.shared_layout()),
      mixed_gradient_(weights.shared_layout()) {
  const OptimizerOptions adam{.learning_rate = options.learning_rate};
  for (const RowMatrix& p : start) {
    groups_.push_back({static_cast<float>(options.start_scale) * p,
                       Sinkhorn(options.temperature, options.sinkhorn_iterations),
                       Optimizer(adam, static_cast<std::size_t>(p.size()))});
  }
}

Aligner::~Aligner() = default;

void Aligner::step(double lambda, const ParamVector& other, LocalData& data, RandomStream& stream) {
  const bool literal = options_.parameterization == FleetMergeOptions::Parameterization::kLiteral;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (!literal) relaxed_[g] = groups_[g].sinkhorn.forward(groups_[g].scores);
    gradient_[g].setZero();
  }
  const auto share = static_cast<float>(lambda);
  const std::span<const float> moved = action_.apply(relaxed_).flat();
  const std::span<const float> rest = other.flat();
  const std::span<float> mixed = mixed_.flat();
  for (std::size_t i = 0; i < mixed.size(); ++i) mixed[i] = share * moved[i] + (1.0F - share) * rest[i];
  const double loss = data.loss_gradient(mixed_, options_.batch_size, stream, mixed_gradient_);
  require(std::isfinite(loss), "the loss became ", loss, " while aligning");
  action_.adjoint(mixed_gradient_, gradient_);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    Group& group = groups_[g];
    gradient_[g] *= share;
    if (literal) {
      group.scores = relaxed_[g] - static_cast<float>(options_.learning_rate) * gradient_[g];  // line 10
      relaxed_[g] = group.sinkhorn.forward(group.scores);                                      // line 11
      continue;
    }
    const RowMatrix& scores_gradient = group.sinkhorn.backward(gradient_[g]);
    const auto size = static_cast<std::size_t>(scores_gradient.size());
    group.optimizer.step({group.scores.data(), size}, {scores_gradient.data(), size});
  }
}

GroupElement Aligner::project() const {
  GroupElement element;
  for (const Group& group : groups_) element.push_back(maximum_assignment(group.scores));
  return element;
}

RelaxedElement Aligner::relaxed() {
  if (options_.parameterization == FleetMergeOptions::Parameterization::kSinkhorn) {
    for (std::size_t g = 0; g < groups_.size(); ++g) relaxed_[g] = groups_[g].sinkhorn.forward(groups_[g].scores);
  }
  return relaxed_;
}

}  // namespace fleet
