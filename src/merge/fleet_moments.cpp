#include "merge/fleet_moments.hpp"

#include "base/error.hpp"

namespace fleet {

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
  MapMoments sum{DoubleMatrix(map.inputs(layout), map.inputs(layout)),
                 DoubleMatrix(map.outputs(layout), map.inputs(layout))};
  std::vector<Comm::DoubleTerm> inputs;
  std::vector<Comm::DoubleTerm> targets;
  for (const MapMoments& moments : local) {
    inputs.push_back({flat(moments.inputs), 1.0});
    targets.push_back({flat(moments.targets), 1.0});
  }
  comm.ordered_sum(inputs, flat(sum.inputs));
  comm.ordered_sum(targets, flat(sum.targets));
  for (const double count : comm.all_gather(samples)) sum.samples += count;
  return sum;
}

RidgedMoments add_ridge(const Eigen::MatrixXd& moments, double ridge, double samples) {
  constexpr double kLargest = 1e-2;
  RidgedMoments ridged;
  for (double tried = ridge;; tried *= 10.0) {
    ridged.weight = tried * moments.trace() / static_cast<double>(moments.rows());
    Eigen::MatrixXd sum = moments;
    sum.diagonal().array() += ridged.weight;
    ridged.factor.compute(sum);
    if (ridged.factor.info() == Eigen::Success) return ridged;
    require(tried * 10.0 <= kLargest, "least squares: the second moments of ", samples,
            " samples are not positive definite with a ridge of ", tried, "; a larger one helps");
  }
}

RowMatrix solve_map(const MapMoments& moments, double ridge, const RowMatrix& prior, const Comm& comm) {
  RowMatrix solution(prior.rows(), prior.cols());
  comm.together([&] {
    if (!comm.is_root()) return;
    const RidgedMoments normal = add_ridge(moments.inputs, ridge, moments.samples);
    const Eigen::MatrixXd right = (moments.targets + normal.weight * prior.cast<double>()).transpose();
    solution = normal.factor.solve(right).transpose().cast<float>();
    require(solution.allFinite(), "layer regression: its solution is not finite");
  });
  comm.broadcast(flat(solution));
  return solution;
}

void write_map(const AffineMap& map, const RowMatrix& matrix, const DoubleMatrix& inputs, ParamVector& parameters) {
  if (!map.norm) return map.assign(matrix, parameters);
  // The last input is the constant 1: its moments with W x are the sums of the outputs, with itself their number.
  const double rows = inputs.bottomRightCorner<1, 1>()(0);
  const Eigen::MatrixXd product = matrix.cast<double>() * inputs;
  const Eigen::VectorXd mean = product.rightCols<1>() / rows;
  const Eigen::VectorXd square = product.cwiseProduct(matrix.cast<double>()).rowwise().sum() / rows;
  const OutputStatistics statistics{mean.cast<float>(), (square - mean.cwiseAbs2()).cwiseMax(0.0).cast<float>()};
  map.assign(matrix, parameters, &statistics);
}

}  // namespace fleet
