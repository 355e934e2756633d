#include "instruments/judge.hpp"

#include <algorithm>
#include <array>

#include "merge/consensus.hpp"
#include "train/evaluation.hpp"

namespace fleet {

bool JudgedMetric::higher_is_better() const {
  constexpr std::array<std::string_view, 4> kRising = {"accuracy", "success", "score", "reward"};
  return std::find(kRising.begin(), kRising.end(), name) != kRising.end();
}

Judge::Judge(Workload& workload, const MergeInput& robots, const Comm& comm)
    : workload_(workload), robots_(robots), comm_(comm) {
  const bool lacks = std::any_of(robots.rows.begin(), robots.rows.end(),
                                 [](const MergeRow& row) { return row.participates && row.data == nullptr; });
  own_data_ = comm.max(lacks ? 1.0 : 0.0) == 0.0;
  for (const std::string& name : workload.metrics()) metrics_.push_back({"test", name});
  if (!own_data_) return;
  metrics_.push_back({"own", "score"});
  metrics_.push_back({"own", "loss"});
}

std::vector<double> Judge::operator()(const ParamVector& weights) const {
  std::vector<double> values = test_means(workload_, weights, comm_);
  if (!own_data_) return values;
  values.push_back(fleet_score(robots_, weights, comm_));
  values.push_back(fleet_loss(robots_, weights, comm_));
  return values;
}

}  // namespace fleet
