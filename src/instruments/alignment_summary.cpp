#include "instruments/alignment_summary.hpp"

#include "merge/alignment_trace.hpp"

namespace fleet {

std::vector<Measurement> alignment_summary(const MergeInput& robots, const MergeOutcome& outcome, const Comm& comm) {
  const SymmetrySpec& symmetry = *robots.symmetry;
  const GroupElement identity = symmetry.identity();
  const bool aligned = comm.max(outcome.elements.empty() ? 0.0 : 1.0) > 0.0;  // a rank may carry no robot
  std::vector<double> mine;
  for (std::size_t i = 0; i < robots.rows.size(); ++i) {
    const MergeRow& row = robots.rows[i];
    if (!row.participates) continue;
    mine.push_back(relative_distance(symmetry, identity, *row.weights, outcome.merged));
    if (!aligned) continue;
    mine.push_back(relative_distance(symmetry, outcome.elements[i], *row.weights, outcome.merged));
    mine.push_back(units_moved(identity, outcome.elements[i]));
  }
  const std::vector<double> all = comm.all_gather(mine);
  std::vector<Measurement> measured;
  auto next = all.begin();
  for (const int robot : robots.participants) {
    const auto note = [&](const char* subject, const char* metric) {
      measured.push_back(
          {.instrument = "alignment", .subject = subject, .metric = metric, .robot = robot, .value = *next++});
    };
    note("before", "distance");
    if (!aligned) continue;
    note("after", "distance");
    note("after", "units moved");
  }
  for (const auto& [name, values] : outcome.series) {
    for (std::size_t epoch = 0; epoch < values.size(); ++epoch) {
      measured.push_back({.instrument = "alignment",
                          .subject = "epochs",
                          .metric = name,
                          .at = static_cast<double>(epoch),
                          .value = values[epoch]});
    }
  }
  return measured;
}

}  // namespace fleet
