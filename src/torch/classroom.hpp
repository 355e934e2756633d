// What the robots of one rank share. Seen only inside src/torch.
#pragma once

#include <map>

#include "torch/supervised.hpp"
#include "torch/visit.hpp"

namespace fleet {

/// The buffers of one training step included: only one robot trains at a time.
struct Classroom {
  explicit Classroom(const SupervisedProblem& problem);

  /// A plan by which some kStatisticsRows rows enter map `map` over the whole fleet, where there are more: evenly
  /// spaced samples stand for all, the same share of each robot's, but never none.
  [[nodiscard]] VisitPlan plan_for(std::size_t map);
  /// The same for sums over what leaves the map, which cost less: four times as many rows. Robots, which hold `shard`
  /// samples each, begin at different places, as classes may lie in order.
  [[nodiscard]] VisitPlan plan_for_outputs(std::size_t map, int robot, std::size_t shard);

  std::shared_ptr<const Network> network;
  std::shared_ptr<const Objective> objective;
  TrainingOptions options;
  VisitPlan plan;
  std::shared_ptr<Samples> samples;
  ParamVector gradient;
  std::vector<std::size_t> statistics;  ///< tensors that the forward pass alone changes
  TrialRunner trials;
  std::shared_ptr<const ParamVector> start;  ///< all robots' first weights, if they have them from elsewhere

 private:
  [[nodiscard]] VisitPlan plan_of(std::size_t map, std::int64_t most);
  std::int64_t rows_per_sample(std::size_t map);

  std::int64_t fleet_samples_ = 0;                // in training shards
  std::map<std::size_t, std::int64_t> map_rows_;  // per sample, of maps asked for before
};

}  // namespace fleet
