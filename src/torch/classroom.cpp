#include "torch/classroom.hpp"

#include <algorithm>
#include <array>

namespace fleet {
namespace {

/// Rows of which the fleet's moments and heads are made, at most.
constexpr std::int64_t kStatisticsRows = 1 << 17;

std::shared_ptr<const Objective> make_objective(ObjectiveKind kind) {
  if (kind == ObjectiveKind::kSquaredError) return make_squared_error();
  if (kind == ObjectiveKind::kMaskedSquaredError) return make_masked_squared_error();
  return make_cross_entropy(kind == ObjectiveKind::kNextCharacter);
}

}  // namespace

Classroom::Classroom(const SupervisedProblem& problem)
    : network(problem.network),
      objective(make_objective(problem.objective)),
      options(problem.options),
      plan(visit_plan(*network, options.carry_state && network->carries_state(), Place(options.device))),
      samples(samples_at(plan.place, problem.train)),
      gradient(network->layout()),
      trials(problem.trials),
      start(problem.start) {
  options.carry_state = options.carry_state && network->carries_state();
  for (std::size_t tensor = 0; tensor < network->layout()->tensors().size(); ++tensor) {
    if (network->is_statistic(tensor)) statistics.push_back(tensor);
  }
  for (int i = 0; i < problem.shards.robots(); ++i) fleet_samples_ += problem.shards.samples(i).train;
}

VisitPlan Classroom::plan_for(std::size_t map) {
  return plan_of(map, kStatisticsRows);
}

VisitPlan Classroom::plan_for_outputs(std::size_t map, int robot, std::size_t shard) {
  VisitPlan visit = plan_of(map, 4 * kStatisticsRows);
  const std::size_t runs = (shard + visit.run - 1) / visit.run;
  visit.first = static_cast<std::size_t>(robot) % std::max<std::size_t>(1, std::min(visit.every, runs));
  return visit;
}

VisitPlan Classroom::plan_of(std::size_t map, std::int64_t most) {
  VisitPlan visit = plan;
  const std::int64_t rows = std::max<std::int64_t>(1, fleet_samples_ * rows_per_sample(map));
  visit.every = static_cast<std::size_t>((rows + most - 1) / most);
  return visit;
}

std::int64_t Classroom::rows_per_sample(std::size_t map) {
  const auto known = map_rows_.find(map);
  if (known != map_rows_.end()) return known->second;
  const torch::NoGradGuard no_grad;
  constexpr std::array<std::int32_t, 1> kAny = {0};
  samples->load(kAny);
  Pass pass{.steps = samples->steps(), .stop_before = map};
  (void)network->forward(plan.place.bring(gradient).tensors, samples->inputs(), pass);
  return map_rows_[map] = pass.entering.size(0);
}

}  // namespace fleet
