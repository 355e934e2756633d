#include "model/affine_map.hpp"

namespace fleet {

Eigen::Index AffineMap::outputs(const ParamLayout& layout) const {
  return layout.tensors()[weights.front()].shape.front();
}

Eigen::Index AffineMap::inputs(const ParamLayout& layout) const {
  Eigen::Index columns = bias ? 1 : 0;
  for (const std::size_t tensor : weights) {
    columns += static_cast<Eigen::Index>(layout.tensors()[tensor].size) / outputs(layout);
  }
  return columns;
}

RowMatrix AffineMap::matrix(const ParamVector& parameters) const {
  const Eigen::Index rows = outputs(parameters.layout());
  RowMatrix matrix(rows, inputs(parameters.layout()));
  Eigen::Index column = 0;
  for (const std::size_t tensor : weights) {
    const auto width = static_cast<Eigen::Index>(parameters.tensor(tensor).size()) / rows;
    matrix.middleCols(column, width) = ConstMatrixView(parameters.tensor(tensor).data(), rows, width);
    column += width;
  }
  if (bias) matrix.col(column) = Eigen::Map<const Eigen::VectorXf>(parameters.tensor(*bias).data(), rows);
  return matrix;
}

void AffineMap::assign(const RowMatrix& matrix, ParamVector& parameters) const {
  const Eigen::Index rows = matrix.rows();
  Eigen::Index column = 0;
  for (const std::size_t tensor : weights) {
    const auto width = static_cast<Eigen::Index>(parameters.tensor(tensor).size()) / rows;
    MatrixView(parameters.tensor(tensor).data(), rows, width) = matrix.middleCols(column, width);
    column += width;
  }
  if (bias) Eigen::Map<Eigen::VectorXf>(parameters.tensor(*bias).data(), rows) = matrix.col(column);
}

}  // namespace fleet
