#include "torch/classroom.hpp"

namespace fleet {
namespace {

std::shared_ptr<const Objective> make_objective(ObjectiveKind kind) {
  if (kind == ObjectiveKind::kSquaredError) return make_squared_error();
  return make_cross_entropy(kind == ObjectiveKind::kNextCharacter);
}

}  // namespace

Classroom::Classroom(const SupervisedProblem& problem)
    : network(problem.network),
      objective(make_objective(problem.objective)),
      options(problem.options),
      plan(visit_plan(*network, options.carry_state && network->carries_state(), Place(options.device))),
      samples(samples_at(plan.place, problem.train)),
      gradient(network->layout()) {
  options.carry_state = options.carry_state && network->carries_state();
  for (std::size_t tensor = 0; tensor < network->layout()->tensors().size(); ++tensor) {
    if (network->is_statistic(tensor)) statistics.push_back(tensor);
  }
}

}  // namespace fleet
