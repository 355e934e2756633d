// What the robots of one rank share. Seen only inside src/torch.
#pragma once

#include "torch/supervised.hpp"
#include "torch/visit.hpp"

namespace fleet {

/// The buffers of one training step included: only one robot trains at a time.
struct Classroom {
  explicit Classroom(const SupervisedProblem& problem);

  std::shared_ptr<const Network> network;
  std::shared_ptr<const Objective> objective;
  TrainingOptions options;
  VisitPlan plan;
  std::shared_ptr<Samples> samples;
  ParamVector gradient;
  std::vector<std::size_t> statistics;  ///< tensors that the forward pass alone changes
};

}  // namespace fleet
