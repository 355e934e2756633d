#include "train/evaluation.hpp"

#include "base/error.hpp"
#include "comm/placement.hpp"

namespace fleet {
namespace {

/// Appends (sum, samples) per part and metric, parts in order. Interrupted between two parts where a stop is requested:
/// a part may be an episode in a simulator.
void append_scores(Workload& workload, const ParamVector& weights, int begin, int end, const Comm& comm,
                   std::vector<double>& flat) {
  for (int part = begin; part < end; ++part) {
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
  std::vector<double> flat;
  comm.together(
      [&] { append_scores(workload, weights, parts.begin(comm.rank()), parts.end(comm.rank()), comm, flat); });
  return workload.summarize(gather_scores(flat, comm));
}

std::vector<std::vector<NamedValue>> test_each(
    Workload& workload, std::size_t count,
    const std::function<const ParamVector&(std::size_t i, ParamVector& scratch)>& weights, const ParamVector* shared,
    const Comm& comm) {
  ParamVector scratch(workload.symmetry().layout());
  std::vector<double> flat;
  std::vector<double> of_shared;
  comm.together([&] {
    for (std::size_t i = 0; i < count; ++i) {
      const ParamVector& model = weights(i, scratch);
      const bool is_known = &model == shared && !of_shared.empty();
      if (is_known) flat.insert(flat.end(), of_shared.begin(), of_shared.end());
      if (is_known) continue;
      const auto begin = static_cast<std::ptrdiff_t>(flat.size());
      append_scores(workload, model, 0, workload.test_parts(), comm, flat);
      if (&model == shared) of_shared.assign(flat.begin() + begin, flat.end());
    }
  });
  const std::vector<Score> all = gather_scores(flat, comm);
  const std::size_t each = static_cast<std::size_t>(workload.test_parts()) * workload.metrics().size();
  std::vector<std::vector<NamedValue>> values;
  for (std::size_t begin = 0; begin < all.size(); begin += each) {
    values.push_back(workload.summarize(std::span(all).subspan(begin, each)));
  }
  return values;
}

}  // namespace fleet
