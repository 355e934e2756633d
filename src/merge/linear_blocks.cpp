#include "merge/linear_blocks.hpp"

#include "base/error.hpp"

namespace fleet {

LinearView::LinearView(const SymmetrySpec& symmetry, std::size_t group) : units_(symmetry.groups()[group].size) {
  const SymmetryGroup& acting = symmetry.groups()[group];
  require(acting.kind == GroupKind::kGeneralLinear,
          "bases can be fitted where any invertible matrix leaves the function "
          "unchanged, but the units of \"",
          acting.name, "\" can only be permuted; git-rebasin and fleet-merge do that");
  const std::vector<TensorSpec>& tensors = symmetry.layout()->tensors();
  for (std::size_t t = 0; t < tensors.size(); ++t) {
    bool writes = false;
    bool reads = false;
    bool plain = true;
    for (const SymmetryAction& action : symmetry.actions()) {
      if (action.tensor != t) continue;
      plain = plain && action.group == group && action.outer == 1 && action.inner == 1 &&
              action.axis == (action.dual ? tensors[t].shape.size() - 1 : 0);
      (action.dual ? reads : writes) = true;
    }
    if (!writes && !reads) continue;
    require(plain && (!(writes && reads) || recurrent_.empty()), "the way in which ", acting.name, " acts on ",
            tensors[t].name, " is none of a linear recurrence");
    const auto size = static_cast<Eigen::Index>(tensors[t].size);
    const Eigen::Index rows = writes ? units_ : size / units_;
    (writes && reads ? recurrent_ : writes ? writing_ : reading_).push_back({t, rows, size / rows});
  }
}

LinearBlocks LinearView::blocks(const ParamVector& weights) const {
  const auto matrix = [&](const Tensor& tensor) {
    return ConstMatrixView(weights.tensor(tensor.index).data(), tensor.rows, tensor.columns).cast<double>();
  };
  LinearBlocks blocks{Eigen::MatrixXd::Zero(units_, units_), Eigen::MatrixXd(units_, 0), Eigen::MatrixXd(0, units_)};
  for (const Tensor& tensor : recurrent_) blocks.a = matrix(tensor);
  for (const Tensor& tensor : writing_) {
    blocks.b.conservativeResize(Eigen::NoChange, blocks.b.cols() + tensor.columns);
    blocks.b.rightCols(tensor.columns) = matrix(tensor);
  }
  for (const Tensor& tensor : reading_) {
    blocks.c.conservativeResize(blocks.c.rows() + tensor.rows, Eigen::NoChange);
    blocks.c.bottomRows(tensor.rows) = matrix(tensor);
  }
  return blocks;
}

void LinearView::assign(const LinearBlocks& blocks, ParamVector& weights) const {
  const auto matrix = [&](const Tensor& tensor) {
    return MatrixView(weights.tensor(tensor.index).data(), tensor.rows, tensor.columns);
  };
  for (const Tensor& tensor : recurrent_) matrix(tensor) = blocks.a.cast<float>();
  Eigen::Index column = 0;
  for (const Tensor& tensor : writing_) {
    matrix(tensor) = blocks.b.middleCols(column, tensor.columns).cast<float>();
    column += tensor.columns;
  }
  Eigen::Index row = 0;
  for (const Tensor& tensor : reading_) {
    matrix(tensor) = blocks.c.middleRows(row, tensor.rows).cast<float>();
    row += tensor.rows;
  }
}

}  // namespace fleet
