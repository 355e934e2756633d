#include "merge/fleet_moments.hpp"

#include <Eigen/Eigenvalues>

#include "base/error.hpp"
#include "merge/consensus.hpp"
#include "merge/known_sums.hpp"
#include "merge/privacy.hpp"

namespace fleet {

bool is_head(const MergeInput& input, const AffineMap& map) {
  return input.has_head && &map == &input.maps.back();
}

void to_single(std::span<double> numbers) {
  for (double& number : numbers) number = static_cast<double>(static_cast<float>(number));
}

std::vector<double> half_of(const DoubleMatrix& symmetric) {
  std::vector<double> half;
  half.reserve(static_cast<std::size_t>(symmetric.rows() * (symmetric.rows() + 1) / 2));
  for (Eigen::Index i = 0; i < symmetric.rows(); ++i)
    half.insert(half.end(), &symmetric(i, 0), &symmetric(i, 0) + i + 1);
  return half;
}

void from_half(std::span<const double> half, DoubleMatrix& symmetric) {
  auto next = half.begin();
  for (Eigen::Index i = 0; i < symmetric.rows(); ++i) {
    for (Eigen::Index j = 0; j <= i; ++j) symmetric(i, j) = symmetric(j, i) = *next++;
  }
}

namespace {

/// Without the negative eigenvalues that noise has brought.
DoubleMatrix nearest_definite(const DoubleMatrix& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> parts(symmetric);
  return parts.eigenvectors() * parts.eigenvalues().cwiseMax(0.0).asDiagonal() * parts.eigenvectors().transpose();
}

/// Means over a robot's samples, added up privately: all robots count alike.
MapMoments sum_privately(const MergeInput& input, const Comm& comm, const AffineMap& map,
                         const std::function<std::optional<MapMoments>(std::size_t row)>& ask) {
  std::vector<PrivateTerm> terms;
  comm.together([&] {
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      if (!input.rows[i].participates) continue;
      const std::optional<MapMoments> moments = ask(i);
      require(moments && moments->samples > 0.0, "robot ", input.rows[i].robot, " has no moments to add");
      std::vector<double> values = half_of(moments->inputs);
      values.insert(values.end(), moments->targets.data(), moments->targets.data() + moments->targets.size());
      for (double& value : values) value /= moments->samples;
      terms.push_back({input.rows[i].robot, std::move(values)});
    }
  });
  const ParamLayout& layout = *input.symmetry->layout();
  MapMoments sum{DoubleMatrix(map.inputs(layout), map.inputs(layout)),
                 DoubleMatrix(map.outputs(layout), map.inputs(layout)), static_cast<double>(input.participants.size())};
  const auto half = static_cast<std::size_t>(sum.inputs.rows() * (sum.inputs.rows() + 1) / 2);
  std::vector<double> values(half + static_cast<std::size_t>(sum.targets.size()));
  PrivateSums& sums = *input.privately;
  sums.add_up(std::move(terms), sums.options().clip_moments, values, comm);
  from_half(std::span(values).first(half), sum.inputs);
  std::copy(values.begin() + static_cast<std::ptrdiff_t>(half), values.end(), sum.targets.data());
  if (sums.options().epsilon > 0.0) sum.inputs = nearest_definite(sum.inputs);
  charge(input, Cargo::kMoments, {.sent = sizeof(double) * values.size()});
  return sum;
}

}  // namespace

DoubleMatrix sum_inputs(const MergeInput& input, const Comm& comm, const AffineMap& map, std::span<const int> robots,
                        std::vector<std::vector<double>> halves, bool in_double) {
  const Eigen::Index size = map.inputs(*input.symmetry->layout());
  for (std::vector<double>& half : halves) {
    if (!in_double) to_single(half);
  }
  DoubleMatrix sum(size, size);
  std::vector<double> total = half_of(sum);
  std::uint64_t bytes = (in_double ? 2 : 1) * symmetric_bytes(size);
  if (input.known != nullptr && map.sees_data) {
    std::vector<KnownSums::Part> parts;
    for (std::size_t i = 0; i < halves.size(); ++i) parts.push_back({robots[i], halves[i]});
    const auto index = static_cast<std::size_t>(&map - input.maps.data());
    if (!input.known->add_up({index, in_double}, parts, total, comm)) bytes = 1;  // to say so
  } else {
    std::vector<Comm::DoubleTerm> terms;
    for (const std::vector<double>& half : halves) terms.push_back({half, 1.0});
    comm.ordered_sum(terms, total);
  }
  from_half(total, sum);
  charge(input, Cargo::kMoments, {.sent = bytes});
  return sum;
}

MapMoments sum_moments(const MergeInput& input, const Comm& comm, const AffineMap& map,
                       const std::function<std::optional<MapMoments>(std::size_t row)>& ask) {
  if (input.privately != nullptr) return sum_privately(input, comm, map, ask);
  std::vector<int> robots;
  std::vector<std::vector<double>> halves;
  std::vector<DoubleMatrix> targets;
  std::vector<double> samples;
  comm.together([&] {
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      std::optional<MapMoments> moments = ask(i);
      if (!moments) continue;
      robots.push_back(input.rows[i].robot);
      halves.push_back(half_of(moments->inputs));
      targets.push_back(std::move(moments->targets));
      samples.push_back(moments->samples);
    }
  });
  const ParamLayout& layout = *input.symmetry->layout();
  const bool in_double = is_head(input, map);
  MapMoments sum{sum_inputs(input, comm, map, robots, std::move(halves), in_double),
                 DoubleMatrix(map.outputs(layout), map.inputs(layout))};
  std::vector<Comm::DoubleTerm> terms;
  for (DoubleMatrix& each : targets) {
    if (!in_double) to_single(flat(each));
    terms.push_back({flat(each), 1.0});
  }
  comm.ordered_sum(terms, flat(sum.targets));
  for (const double count : comm.all_gather(samples)) sum.samples += count;
  charge(input, Cargo::kMoments,
         {.sent = (in_double ? sizeof(double) : sizeof(float)) * static_cast<std::size_t>(sum.targets.size())});
  charge(input, Cargo::kScalars, {.sent = sizeof(double)});
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

RowMatrix solve_map(const MergeInput& input, const MapMoments& moments, double ridge, const RowMatrix& prior,
                    const Comm& comm, int passes) {
  RowMatrix solution = prior;
  comm.together([&] {
    if (!comm.is_root()) return;
    const RidgedMoments normal = add_ridge(moments.inputs, ridge, moments.samples);
    for (int pass = 0; pass < passes; ++pass) {
      const Eigen::MatrixXd right = (moments.targets + normal.weight * solution.cast<double>()).transpose();
      solution = normal.factor.solve(right).transpose().cast<float>();
    }
    require(solution.allFinite(), "layer regression: its solution is not finite");
  });
  comm.broadcast(flat(solution));
  charge(input, Cargo::kWeights, {.received = sizeof(float) * static_cast<std::size_t>(solution.size())});
  return solution;
}

OutputSums outputs_behind(const DoubleMatrix& inputs, const AffineMap& map, const ParamVector& at) {
  const Eigen::MatrixXd matrix = map.plain_matrix(at).cast<double>();
  const Eigen::MatrixXd product = matrix * inputs;
  return {product.rightCols<1>(), product.cwiseProduct(matrix).rowwise().sum(), inputs.bottomRightCorner<1, 1>()(0)};
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
