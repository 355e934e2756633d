#include "merge/solved_head.hpp"

#include <algorithm>

#include "merge/fleet_moments.hpp"
#include "merge/head.hpp"
#include "merge/quadratic_head.hpp"

namespace fleet {
namespace {

/// Of each row behind `body`; nullptr where it has no part. Collective.
std::vector<std::unique_ptr<HeadData>> head_parts(const SolvedHeadOptions& options, const MergeInput& input,
                                                  const FleetMemory& memory, const ParamVector& body,
                                                  const Comm& comm) {
  const std::size_t last = input.maps.size() - 1;
  std::vector<std::unique_ptr<HeadData>> parts(input.rows.size());
  comm.together([&] {
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      if (const RobotMemory* remembered = memory.of(input, i)) {
        const DoubleMatrix& inputs = remembered->inputs[last];
        const RowMatrix head = input.maps[last].matrix(*input.previous);
        parts[i] = std::make_unique<QuadraticHead>(
            MapMoments{inputs, head.cast<double>() * inputs, remembered->samples}, options.memory_curvature);
      } else if (input.rows[i].participates) {
        parts[i] = input.rows[i].data->head_data(body);
      }
    }
  });
  return parts;
}

/// Whether the loss of all parts together is a squared error, in which each sample counts alike: then solve_head()
/// comes to what a second solution, drawn to the first, is. Collective.
bool sums_say_all(std::span<const std::unique_ptr<HeadData>> parts, const Comm& comm) {
  constexpr double kNone = 1e300;
  double least = kNone;
  double most = 0.0;
  for (const auto& part : parts) {
    least = part->is_quadratic() ? std::min(least, part->curvature()) : 0.0;
    most = std::max(most, part->curvature());
  }
  return -comm.max(-least) == comm.max(most);
}

}  // namespace

void solve_last_map(const SolvedHeadOptions& options, const MergeInput& input, const FleetMemory& memory,
                    ParamVector& merged, const Comm& comm) {
  const AffineMap& map = input.maps.back();
  RowMatrix head = map.matrix(merged);
  head.setZero();
  std::vector<std::unique_ptr<HeadData>> parts = head_parts(options, input, memory, merged, comm);
  const MapMoments sums = sum_moments(input, comm, map, [&](std::size_t i) {
    return parts[i] != nullptr ? std::optional(parts[i]->moments()) : std::nullopt;
  });
  std::erase(parts, nullptr);
  const bool for_loss = options.target == SolvedHeadOptions::Target::kLoss;
  const bool by_sums = for_loss && sums_say_all(parts, comm);
  head = solve_map(input, sums, options.ridge, head, comm, by_sums ? 2 : 1);
  if (for_loss && !by_sums) {
    head = solve_head({.iterations = options.iterations, .ridge = options.ridge}, input, parts, sums, head, comm);
  }
  map.assign(head, merged);
}

}  // namespace fleet
