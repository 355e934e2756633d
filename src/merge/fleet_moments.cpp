#include "merge/fleet_moments.hpp"

#include <Eigen/Cholesky>

#include "base/error.hpp"

namespace fleet {
namespace {

std::span<float> flat(RowMatrix& matrix) {
  return {matrix.data(), static_cast<std::size_t>(matrix.size())};
}
std::span<const float> flat(const RowMatrix& matrix) {
  return {matrix.data(), static_cast<std::size_t>(matrix.size())};
}

}  // namespace

MapMoments sum_moments(const MergeInput& input, const Comm& comm, const AffineMap& map,
                       const std::function<std::optional<MapMoments>(std::size_t row)>& ask) {
  std::vector<MapMoments> local;
  std::vector<double> samples;
  comm.together([&] {
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      std::optional<MapMoments> moments = ask(i);
      if (!moments) continue;
      samples.push_back(moments->samples);
      local.push_back(std::move(*moments));
    }
  });
  const ParamLayout& layout = *input.symmetry->layout();
  MapMoments sum{RowMatrix(map.inputs(layout), map.inputs(layout)), RowMatrix(map.outputs(layout), map.inputs(layout))};
  std::vector<Comm::Term> inputs;
  std::vector<Comm::Term> targets;
  for (const MapMoments& moments : local) {
    inputs.push_back({flat(moments.inputs), 1.0});
    targets.push_back({flat(moments.targets), 1.0});
  }
  comm.ordered_sum(inputs, flat(sum.inputs));
  comm.ordered_sum(targets, flat(sum.targets));
  for (const double count : comm.all_gather(samples)) sum.samples += count;
  return sum;
}

RowMatrix solve_map(const MapMoments& moments, double ridge, const RowMatrix& prior, const Comm& comm) {
  RowMatrix solution(prior.rows(), prior.cols());
  comm.together([&] {
    if (!comm.is_root()) return;
    Eigen::MatrixXd normal = moments.inputs.cast<double>();
    const double weight = ridge * normal.trace() / static_cast<double>(normal.rows());
    normal.diagonal().array() += weight;
    const Eigen::MatrixXd right = (moments.targets.cast<double>() + weight * prior.cast<double>()).transpose();
    const Eigen::LLT<Eigen::MatrixXd> factor(normal);
    require(factor.info() == Eigen::Success, "layer regression: the second moments of ", moments.samples,
            " samples are not positive definite with a ridge of ", ridge, "; a larger one helps");
    solution = factor.solve(right).transpose().cast<float>();
    require(solution.allFinite(), "layer regression: its solution is not finite");
  });
  comm.broadcast(flat(solution));
  return solution;
}

void fit_map(const AffineMap& map, const MapMoments& moments, double ridge, const RowMatrix& prior, const Comm& comm,
             ParamVector& parameters) {
  const RowMatrix solution = solve_map(moments, ridge, prior, comm);
  if (!map.norm) return map.assign(solution, parameters);
  // The last input is the constant 1: its moments with W x are the sums of the outputs, with itself their number.
  const double rows = moments.inputs.bottomRightCorner<1, 1>()(0);
  const Eigen::MatrixXd product = solution.cast<double>() * moments.inputs.cast<double>();
  const Eigen::VectorXd mean = product.rightCols<1>() / rows;
  const Eigen::VectorXd square = product.cwiseProduct(solution.cast<double>()).rowwise().sum() / rows;
  const OutputStatistics statistics{mean.cast<float>(), (square - mean.cwiseAbs2()).cwiseMax(0.0).cast<float>()};
  map.assign(solution, parameters, &statistics);
}

}  // namespace fleet
