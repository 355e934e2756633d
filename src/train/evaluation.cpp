#include "train/evaluation.hpp"

#include <map>
#include <numeric>

#include "base/error.hpp"
#include "comm/placement.hpp"

namespace fleet {
namespace {

/// Appends (sum, samples) per part and metric, parts in order. Interrupted between two parts where a stop is requested:
/// a part may be an episode in a simulator.
void append_scores(Workload& workload, const ParamVector& weights, std::span<const int> parts, const Comm& comm,
                   std::vector<double>& flat) {
  for (const int part : parts) {
    if (comm.stop_requested()) throw Interrupted();
    for (const Score& score : workload.test_scores(weights, part)) {
      flat.push_back(score.sum);
      flat.push_back(score.samples);
    }
  }
}

/// All ranks' scores, one after another.
std::vector<Score> gather_scores(std::span<const double> flat, const Comm& comm) {
  const std::vector<double> all = comm.all_gather(flat);
  std::vector<Score> scores;
  for (std::size_t i = 0; i < all.size(); i += 2) scores.push_back({all[i], all[i + 1]});
  return scores;
}

}  // namespace

std::vector<NamedValue> test_together(Workload& workload, const ParamVector& weights, const Comm& comm) {
  const Placement parts{.robots = workload.test_parts(), .ranks = comm.size()};
  std::vector<int> own(static_cast<std::size_t>(parts.end(comm.rank()) - parts.begin(comm.rank())));
  std::iota(own.begin(), own.end(), parts.begin(comm.rank()));
  std::vector<double> flat;
  comm.together([&] { append_scores(workload, weights, own, comm, flat); });
  return workload.summarize(gather_scores(flat, comm));
}

TestedFleet test_fleet(Workload& workload, std::span<const int> robots,
                       const std::function<const ParamVector&(std::size_t i, ParamVector& scratch)>& weights,
                       const ParamVector* shared, const Comm& comm) {
  ParamVector scratch(workload.symmetry().layout());
  std::vector<double> flat;
  std::map<std::vector<int>, std::vector<double>> of_shared;  // by parts
  comm.together([&] {
    for (std::size_t i = 0; i < robots.size(); ++i) {
      const ParamVector& model = weights(i, scratch);
      const std::vector<int> parts = workload.parts_of(robots[i]);
      const auto known = of_shared.find(parts);
      if (&model == shared && known != of_shared.end()) {
        flat.insert(flat.end(), known->second.begin(), known->second.end());
        continue;
      }
      const auto begin = static_cast<std::ptrdiff_t>(flat.size());
      append_scores(workload, model, parts, comm, flat);
      if (&model == shared) of_shared[parts].assign(flat.begin() + begin, flat.end());
    }
  });
  const std::vector<Score> all = gather_scores(flat, comm);
  const std::size_t metrics = workload.metrics().size();
  std::vector<Score> total(static_cast<std::size_t>(workload.test_parts()) * metrics);
  TestedFleet tested;
  auto next = all.begin();
  for (int robot = 0; next != all.end(); ++robot) {
    std::vector<Score> own(total.size());
    for (const int part : workload.parts_of(robot)) {
      for (std::size_t m = 0; m < metrics; ++m, ++next) {
        const std::size_t place = static_cast<std::size_t>(part) * metrics + m;
        own[place] = *next;
        total[place].sum += next->sum;
        total[place].samples += next->samples;
      }
    }
    tested.each.push_back(workload.summarize(own));
  }
  tested.together = workload.summarize(total);
  return tested;
}

}  // namespace fleet
