// How a network's weights lie in one flat buffer: the currency between all layers.
//
// A ParamLayout names and places tensors; a ParamVector is a layout and one contiguous buffer, so that a
// collective is one call and a tensor is a view. Both are cheap to pass: the layout is shared.
#pragma once

#include <Eigen/Core>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace fleet {

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using DoubleMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using MatrixView = Eigen::Map<RowMatrix>;
using ConstMatrixView = Eigen::Map<const RowMatrix>;

struct TensorSpec {
  std::string name;                 ///< e.g. "layers.0.weight"
  std::vector<std::int64_t> shape;  ///< row-major
  std::size_t offset = 0;           ///< of the first element, in floats
  std::size_t size = 0;             ///< number of elements
};

class ParamLayout {
 public:
  /// Appends a tensor. Error if the name is taken or the shape has an extent below 1.
  void add(std::string name, std::vector<std::int64_t> shape);

  [[nodiscard]] const std::vector<TensorSpec>& tensors() const { return tensors_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  /// Position of the tensor called `name`; Error if there is none.
  [[nodiscard]] std::size_t index_of(const std::string& name) const;
  /// Of names, shapes and order: equal layouts have equal hashes on every rank.
  [[nodiscard]] std::uint64_t hash() const;

 private:
  std::vector<TensorSpec> tensors_;
  std::size_t size_ = 0;
};

class ParamVector {
 public:
  /// All zero.
  explicit ParamVector(std::shared_ptr<const ParamLayout> layout)
      : layout_(std::move(layout)), values_(Eigen::VectorXf::Zero(static_cast<Eigen::Index>(layout_->size()))) {}

  [[nodiscard]] const ParamLayout& layout() const { return *layout_; }
  [[nodiscard]] const std::shared_ptr<const ParamLayout>& shared_layout() const { return layout_; }
  [[nodiscard]] std::span<float> flat() { return {values_.data(), layout_->size()}; }
  [[nodiscard]] std::span<const float> flat() const { return {values_.data(), layout_->size()}; }
  /// The elements of tensor `index`.
  [[nodiscard]] std::span<float> tensor(std::size_t index) {
    return flat().subspan(layout_->tensors()[index].offset, layout_->tensors()[index].size);
  }
  [[nodiscard]] std::span<const float> tensor(std::size_t index) const {
    return flat().subspan(layout_->tensors()[index].offset, layout_->tensors()[index].size);
  }

 private:
  std::shared_ptr<const ParamLayout> layout_;
  Eigen::VectorXf values_;  // Eigen aligns its buffers, so kernels see the same alignment in every run
};

}  // namespace fleet
