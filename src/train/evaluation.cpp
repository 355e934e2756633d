#include "train/evaluation.hpp"

#include "comm/placement.hpp"

namespace fleet {
namespace {

/// (sum, samples) per part and metric, parts in order.
std::vector<double> score_parts(Workload& workload, const ParamVector& weights, int begin, int end) {
  std::vector<double> flat;
  for (int part = begin; part < end; ++part) {
    for (const Score& score : workload.test_scores(weights, part)) {
      flat.push_back(score.sum);
      flat.push_back(score.samples);
    }
  }
  return flat;
}

std::vector<double> means_over_parts(const std::vector<double>& flat, std::size_t metrics) {
  std::vector<Score> totals(metrics);
  for (std::size_t i = 0; i < flat.size(); i += 2) {
    totals[i / 2 % metrics].sum += flat[i];
    totals[i / 2 % metrics].samples += flat[i + 1];
  }
  std::vector<double> means;
  for (const Score& total : totals) means.push_back(total.sum / total.samples);
  return means;
}

}  // namespace

std::vector<double> test_means(Workload& workload, const ParamVector& weights) {
  return means_over_parts(score_parts(workload, weights, 0, workload.test_parts()), workload.metrics().size());
}

std::vector<double> test_means(Workload& workload, const ParamVector& weights, const Comm& comm) {
  const Placement parts{.robots = workload.test_parts(), .ranks = comm.size()};
  std::vector<double> mine;
  comm.together([&] { mine = score_parts(workload, weights, parts.begin(comm.rank()), parts.end(comm.rank())); });
  return means_over_parts(comm.all_gather(mine), workload.metrics().size());
}

}  // namespace fleet
