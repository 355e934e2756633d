// Weights judged by all there is to judge them by: the test set, and what the robots of a fleet hold out.
#pragma once

#include <string>
#include <vector>

#include "train/workload.hpp"

namespace fleet {

struct JudgedMetric {
  std::string split;  ///< "test", or "own": the robots' held-out data
  std::string name;   ///< of what Workload::summarize() gives; "score" and "loss" of the robots' own
  /// Of accuracies, success and scores, over all or of groups ("accuracy_role_p10"); all others are losses or costs.
  [[nodiscard]] bool higher_is_better() const;
};

struct JudgedValue {
  JudgedMetric metric;
  double value = 0.0;
};

class Judge {
 public:
  /// Keeps references. The participants of `robots` judge by their own data, if all have some at hand and can judge
  /// (LocalData::judges). Collective.
  Judge(Workload& workload, const MergeInput& robots, const Comm& comm);

  /// The same metrics in the same order for any weights, and the same bits on any number of ranks. Collective.
  [[nodiscard]] std::vector<JudgedValue> operator()(const ParamVector& weights) const;

 private:
  Workload& workload_;
  const MergeInput& robots_;
  const Comm& comm_;
  bool own_data_;
};

}  // namespace fleet
