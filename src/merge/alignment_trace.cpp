#include "merge/alignment_trace.hpp"

#include <array>
#include <cmath>

namespace fleet {

double units_moved(const GroupElement& from, const GroupElement& to) {
  double moved = 0.0;
  double units = 0.0;
  for (std::size_t g = 0; g < to.size(); ++g) {
    for (std::size_t i = 0; i < to[g].size(); ++i) moved += from[g][i] != to[g][i] ? 1.0 : 0.0;
    units += static_cast<double>(to[g].size());
  }
  return units > 0.0 ? moved / units : 0.0;
}

double relative_distance(const SymmetrySpec& symmetry, const GroupElement& element, const ParamVector& weights,
                         const ParamVector& reference) {
  const ParamVector moved = symmetry.apply(element, weights);
  double squares = 0.0;
  double norm = 0.0;
  for (std::size_t w = 0; w < moved.flat().size(); ++w) {
    const double r = reference.flat()[w];
    const double difference = moved.flat()[w] - r;
    squares += difference * difference;
    norm += r * r;
  }
  return std::sqrt(squares / norm);
}

double doubly_stochastic_error(const RelaxedElement& element) {
  double largest = 0.0;
  for (const RowMatrix& p : element) {
    const Eigen::MatrixXd entries = p.cast<double>();
    largest = std::max(largest, (entries.rowwise().sum().array() - 1.0).abs().maxCoeff());
    largest = std::max(largest, (entries.colwise().sum().array() - 1.0).abs().maxCoeff());
  }
  return largest;
}

AlignmentTrace::AlignmentTrace(const MergeInput& input, const Comm& comm) : input_(input), comm_(comm) {
  if (wanted()) before_.assign(input.rows.size(), input.symmetry->identity());
}

void AlignmentTrace::record(const ParamVector& reference, std::span<const GroupElement> elements,
                            std::span<const double> relaxed_errors) {
  if (!wanted()) return;
  constexpr std::array kNames = {"distance", "changes", "doubly stochastic"};
  std::vector<double> mine;
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (input_.rows[i].participates) {
      mine.push_back(relative_distance(*input_.symmetry, elements[i], *input_.rows[i].weights, reference));
      mine.push_back(units_moved(before_[i], elements[i]));
      mine.push_back(relaxed_errors.empty() ? 0.0 : relaxed_errors[i]);
    }
    before_[i] = elements[i];
  }
  const std::vector<double> all = comm_.all_gather(mine);
  const double relaxes = comm_.max(relaxed_errors.empty() ? 0.0 : 1.0);  // a rank may carry no robot
  for (std::size_t n = 0; n < kNames.size(); ++n) {
    if (n == 2 && relaxes == 0.0) continue;
    double sum = 0.0;
    for (std::size_t i = n; i < all.size(); i += kNames.size()) sum += all[i];
    series_[kNames[n]].push_back(sum * kNames.size() / static_cast<double>(all.size()));
  }
}

}  // namespace fleet
