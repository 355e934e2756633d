#include "instruments/judge.hpp"

#include <algorithm>
#include <array>

#include "merge/consensus.hpp"
#include "train/evaluation.hpp"

namespace fleet {

bool JudgedMetric::higher_is_better() const {
  constexpr std::array<std::string_view, 5> kRising = {"accuracy", "success", "score", "reward", "return"};
  return std::any_of(kRising.begin(), kRising.end(), [&](std::string_view rising) {
    return name.starts_with(rising) && (name.size() == rising.size() || name[rising.size()] == '_');
  });
}

Judge::Judge(Workload& workload, const MergeInput& robots, const Comm& comm)
    : workload_(workload), robots_(robots), comm_(comm) {
  const bool lacks = std::any_of(robots.rows.begin(), robots.rows.end(), [](const MergeRow& row) {
    return row.participates && (row.data == nullptr || !row.data->judges());
  });
  own_data_ = comm.max(lacks ? 1.0 : 0.0) == 0.0;
}

std::vector<JudgedValue> Judge::operator()(const ParamVector& weights) const {
  std::vector<JudgedValue> values;
  for (const NamedValue& tested : test_together(workload_, weights, comm_)) {
    values.push_back({{"test", tested.name}, tested.value});
  }
  if (!own_data_) return values;
  values.push_back({{"own", "score"}, fleet_score(robots_, weights, comm_)});
  values.push_back({{"own", "loss"}, fleet_loss(robots_, weights, comm_)});
  return values;
}

}  // namespace fleet
