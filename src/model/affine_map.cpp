#include "model/affine_map.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace fleet {
namespace {

Eigen::Map<const Eigen::VectorXf> vector(const ParamVector& parameters, std::size_t tensor) {
  return {parameters.tensor(tensor).data(), static_cast<Eigen::Index>(parameters.tensor(tensor).size())};
}
Eigen::Map<Eigen::VectorXf> vector(ParamVector& parameters, std::size_t tensor) {
  return {parameters.tensor(tensor).data(), static_cast<Eigen::Index>(parameters.tensor(tensor).size())};
}

}  // namespace

Eigen::Index AffineMap::outputs(const ParamLayout& layout) const {
  return layout.tensors()[weights.front()].shape.front();
}

Eigen::Index AffineMap::inputs(const ParamLayout& layout) const {
  Eigen::Index columns = has_constant() ? 1 : 0;
  for (const std::size_t tensor : weights) {
    columns += static_cast<Eigen::Index>(layout.tensors()[tensor].size) / outputs(layout);
  }
  return columns;
}

RowMatrix AffineMap::plain_matrix(const ParamVector& parameters) const {
  const Eigen::Index rows = outputs(parameters.layout());
  RowMatrix matrix = RowMatrix::Zero(rows, inputs(parameters.layout()));
  Eigen::Index column = 0;
  for (const std::size_t tensor : weights) {
    const auto width = static_cast<Eigen::Index>(parameters.tensor(tensor).size()) / rows;
    matrix.middleCols(column, width) = ConstMatrixView(parameters.tensor(tensor).data(), rows, width);
    column += width;
  }
  if (bias) matrix.col(column) = vector(parameters, *bias);
  return matrix;
}

void AffineMap::add(const RowMatrix& plain, ParamVector& parameters) const {
  Eigen::Index column = 0;
  for (const std::size_t tensor : weights) {
    const auto width = static_cast<Eigen::Index>(parameters.tensor(tensor).size()) / plain.rows();
    MatrixView(parameters.tensor(tensor).data(), plain.rows(), width) += plain.middleCols(column, width);
    column += width;
  }
  if (bias) vector(parameters, *bias) += plain.col(column);
}

RowMatrix AffineMap::matrix(const ParamVector& parameters) const {
  RowMatrix matrix = plain_matrix(parameters);
  const Eigen::Index column = matrix.cols() - 1;
  if (norm) {
    const Eigen::VectorXf gain = vector(parameters, norm->scale).array() /
                                 (vector(parameters, norm->variance).array() + BatchNorm::kEpsilon).sqrt();
    matrix.leftCols(column) = gain.asDiagonal() * matrix.leftCols(column);
    matrix.col(column) = vector(parameters, norm->shift) - gain.cwiseProduct(vector(parameters, norm->mean));
  }
  return matrix;
}

void AffineMap::assign(const RowMatrix& matrix, ParamVector& parameters, const OutputStatistics* statistics) const {
  const Eigen::Index rows = matrix.rows();
  Eigen::Index column = 0;
  for (const std::size_t tensor : weights) {
    const auto width = static_cast<Eigen::Index>(parameters.tensor(tensor).size()) / rows;
    MatrixView(parameters.tensor(tensor).data(), rows, width) = matrix.middleCols(column, width);
    column += width;
  }
  if (bias) vector(parameters, *bias) = matrix.col(column);
  if (norm) {
    require(statistics != nullptr, "layer ", name, ": its normalisation needs the statistics of its outputs");
    vector(parameters, norm->scale) = (statistics->variance.array() + BatchNorm::kEpsilon).sqrt();
    vector(parameters, norm->shift) = statistics->mean;
    vector(parameters, norm->mean) = statistics->mean - matrix.col(column);
    vector(parameters, norm->variance) = statistics->variance;
  }
}

bool has_batch_norm(std::span<const AffineMap> maps) {
  return std::ranges::any_of(maps, [](const AffineMap& map) { return map.norm.has_value(); });
}

}  // namespace fleet
