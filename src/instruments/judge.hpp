// Weights judged by all there is to judge them by: the test set, and what the robots of a fleet hold out.
#pragma once

#include <string>
#include <vector>

#include "train/workload.hpp"

namespace fleet {

struct JudgedMetric {
  std::string split;  ///< "test", or "own": the robots' held-out data
  std::string name;   ///< a metric of the workload; "score" and "loss" of the robots' own
  /// Of accuracies, success and scores; all others are losses or costs.
  [[nodiscard]] bool higher_is_better() const;
};

class Judge {
 public:
  /// Keeps references. The participants of `robots` judge by their own data, if all have some at hand. Collective.
  Judge(Workload& workload, const MergeInput& robots, const Comm& comm);

  [[nodiscard]] const std::vector<JudgedMetric>& metrics() const { return metrics_; }
  /// A value per metric, the same bits on any number of ranks. Collective.
  [[nodiscard]] std::vector<double> operator()(const ParamVector& weights) const;

 private:
  Workload& workload_;
  const MergeInput& robots_;
  const Comm& comm_;
  bool own_data_;
  std::vector<JudgedMetric> metrics_;
};

}  // namespace fleet
