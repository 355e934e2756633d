#include "merge/solved_head.hpp"

#include "merge/fleet_moments.hpp"
#include "merge/head.hpp"

namespace fleet {
namespace {

/// A robot that is away.
class RememberedHead final : public HeadData {
 public:
  RememberedHead(const DoubleMatrix& inputs, double samples, const RowMatrix& consensus, double curvature)
      : inputs_(inputs), samples_(samples), consensus_(consensus.cast<double>()), curvature_(curvature) {}

  MapMoments moments() const override { return {inputs_, consensus_ * inputs_, samples_}; }

  void change_basis(const Eigen::MatrixXd& lower) override {
    const auto factor = lower.triangularView<Eigen::Lower>();
    const Eigen::MatrixXd half = factor.solve(Eigen::MatrixXd(inputs_));
    inputs_ = factor.solve(Eigen::MatrixXd(half.transpose()));
    consensus_ = consensus_ * factor;
  }
  void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
    gradient += (curvature_ * (head.cast<double>() - consensus_) * inputs_).cast<float>();
  }
  double curvature() const override { return curvature_; }

 private:
  DoubleMatrix inputs_;
  double samples_;
  DoubleMatrix consensus_;
  double curvature_;
};

/// Of each row behind `body`; nullptr where it has no part. Collective.
std::vector<std::unique_ptr<HeadData>> head_parts(const SolvedHeadOptions& options, const MergeInput& input,
                                                  const FleetMemory& memory, const ParamVector& body,
                                                  const Comm& comm) {
  const std::size_t last = input.maps.size() - 1;
  std::vector<std::unique_ptr<HeadData>> parts(input.rows.size());
  comm.together([&] {
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      if (const RobotMemory* remembered = memory.of(input, i)) {
        parts[i] = std::make_unique<RememberedHead>(remembered->inputs[last], remembered->samples,
                                                    input.maps[last].matrix(*input.previous), options.memory_curvature);
      } else if (input.rows[i].participates) {
        parts[i] = input.rows[i].data->head_data(body);
      }
    }
  });
  return parts;
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
  head = solve_map(input, sums, options.ridge, head, comm);
  if (options.target == SolvedHeadOptions::Target::kLoss) {
    head = solve_head({.iterations = options.iterations, .ridge = options.ridge}, input, parts, sums, head, comm);
  }
  map.assign(head, merged);
}

}  // namespace fleet
