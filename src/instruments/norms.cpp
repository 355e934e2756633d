#include "instruments/norms.hpp"

#include <cmath>

namespace fleet {
namespace {

double norm_of(std::span<const float> values) {
  double squares = 0.0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

double distance(std::span<const float> a, std::span<const float> b) {
  double squares = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double difference = static_cast<double>(a[i]) - b[i];
    squares += difference * difference;
  }
  return std::sqrt(squares);
}

/// The weights of the first participant, on every rank.
ParamVector first_of(const MergeInput& robots, const Comm& comm) {
  ParamVector first(robots.symmetry->layout());
  double holder = -1.0;
  for (const MergeRow& row : robots.rows) {
    if (row.robot != robots.participants.front()) continue;
    first = *row.weights;
    holder = comm.rank();
  }
  comm.broadcast(first.flat(), static_cast<int>(comm.max(holder)));
  return first;
}

}  // namespace

std::vector<Measurement> weight_norms(const MergeInput& robots, const ParamVector* merged, const Comm& comm) {
  const std::vector<TensorSpec>& tensors = robots.symmetry->layout()->tensors();
  const ParamVector first = first_of(robots, comm);
  std::vector<double> mine;  // per participant and tensor: norm, distance from the first's
  for (const MergeRow& row : robots.rows) {
    for (std::size_t t = 0; row.participates && t < tensors.size(); ++t) {
      mine.push_back(norm_of(row.weights->tensor(t)));
      mine.push_back(distance(row.weights->tensor(t), first.tensor(t)));
    }
  }
  const std::vector<double> all = comm.all_gather(mine);
  std::vector<Measurement> measured;
  for (std::size_t i = 0; i < robots.participants.size(); ++i) {
    for (std::size_t t = 0; t < tensors.size(); ++t) {
      const double norm = all[2 * (i * tensors.size() + t)];
      const double apart = all[2 * (i * tensors.size() + t) + 1];
      const double unit = norm_of(first.tensor(t)) > 0.0 ? norm_of(first.tensor(t)) : std::nan("");
      Measurement row{.instrument = "norms", .subject = tensors[t].name, .robot = robots.participants[i]};
      for (const auto& [metric, value] : {std::pair{"norm", norm}, std::pair{"variation", std::abs(norm - unit) / unit},
                                          std::pair{"difference", apart / unit}}) {
        row.metric = metric;
        row.value = value;
        measured.push_back(row);
      }
    }
  }
  for (std::size_t t = 0; merged != nullptr && t < tensors.size(); ++t) {
    measured.push_back(
        {.instrument = "norms", .subject = tensors[t].name, .metric = "norm", .value = norm_of(merged->tensor(t))});
  }
  return measured;
}

}  // namespace fleet
