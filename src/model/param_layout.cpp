#include "model/param_layout.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"

namespace fleet {

void ParamLayout::add(std::string name, std::vector<std::int64_t> shape) {
  std::size_t elements = 1;
  for (const std::int64_t extent : shape) {
    require(extent >= 1, "tensor ", name, " has an extent of ", extent, "; it must be at least 1");
    elements *= static_cast<std::size_t>(extent);
  }
  for (const TensorSpec& tensor : tensors_) {
    require(tensor.name != name, "two tensors are called ", name);
  }
  tensors_.push_back({std::move(name), std::move(shape), size_, elements});
  size_ += elements;
}

std::size_t ParamLayout::index_of(const std::string& name) const {
  for (std::size_t i = 0; i < tensors_.size(); ++i) {
    if (tensors_[i].name == name) return i;
  }
  throw Error(cat("no tensor is called ", name));
}

std::uint64_t ParamLayout::hash() const {
  Hash hash;
  for (const TensorSpec& tensor : tensors_) {
    hash.add(tensor.name);
    for (const std::int64_t extent : tensor.shape) hash.add(static_cast<std::uint64_t>(extent));
  }
  return hash.value();
}

}  // namespace fleet
