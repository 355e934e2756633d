#include "sweep/holdings.hpp"

#include <algorithm>

#include "sweep/methods.hpp"

namespace fleet {
namespace {

/// Of the layer with most inputs, or of all together: what the rank's robots send, their sum, and what is solved for at
/// the root.
double moment_bytes(const ParamLayout& layout, double robots, bool together) {
  double most = 0.0;
  double all = 0.0;
  for (const TensorSpec& tensor : layout.tensors()) {
    if (tensor.shape.size() < 2) continue;
    const auto outputs = static_cast<double>(tensor.shape.front());
    const double inputs = static_cast<double>(tensor.size) / outputs + 1.0;
    const double square = inputs * inputs;
    const double each = 1.5 * square + outputs * inputs;  // whole, and the half that is sent
    const double layer = robots * each + 4.5 * square + 2.0 * outputs * inputs;
    most = std::max(most, layer);
    all += layer;
  }
  return (together ? all : most) * sizeof(double);
}

}  // namespace

Holdings holdings_of(const Cell& cell, int robots) {
  const FleetOptions& fleet = cell.fleet;
  const Regime regime = find_method(cell.method).regime;
  Holdings holdings{.robots = regime == Regime::kJoint ? 1 : robots};
  int awake = holdings.robots;
  if (regime == Regime::kMerge && fleet.trainees == FleetOptions::Trainees::kParticipants) {
    awake = std::min(fleet.drawn(fleet.robots), robots);
  }
  const bool merges = regime == Regime::kMerge;
  const bool differ = fleet.hand_back == FleetOptions::HandBack::kParticipants || !fleet.parameters.empty();
  holdings.with_weights = merges && differ ? robots : awake;
  holdings.with_moments = merges && fleet.moments != FleetOptions::Moments::kReset ? robots : awake;
  // An aligned copy of each that takes part; the consensus, where the robots at rest stand, and a gradient.
  const double vectors = holdings.with_weights + 2.0 * holdings.with_moments + awake + 3.0;
  constexpr double kRobot = 512.0;  // its object, and where it is found
  holdings.bytes = vectors * sizeof(float) * static_cast<double>(cell.facts.parameters) +
                   (kRobot + static_cast<double>(cell.facts.robot_bytes)) * holdings.robots;
  if (cell.sums_moments && cell.facts.layout != nullptr) {
    const bool together = fleet.rounds_after > 0;  // consolidated rounds hold the curvature of every layer
    holdings.bytes += moment_bytes(*cell.facts.layout, std::min(fleet.drawn(fleet.robots), robots), together);
  }
  return holdings;
}

}  // namespace fleet
