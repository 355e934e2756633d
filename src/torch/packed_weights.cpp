#include "torch/packed_weights.hpp"

#include <algorithm>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr int kPanel = 16;  // columns of a panel: a vector of the widest registers
constexpr std::int64_t kManyLanes = 16;
constexpr std::int64_t kDepth = 256;  // rows of a panel at a time: what the first cache holds

/// Rows of a matrix that lies in a wider one.
template <class Number>
struct Rows {
  Number* first;
  std::int64_t stride;
  [[nodiscard]] Number* row(std::int64_t index) const { return first + index * stride; }
};

namespace portable {
constexpr int kVectorBytes = 16;
constexpr int kMostRows = 3;
constexpr int kMostPanels = 1;
#include "torch/packed_product.inc"
}  // namespace portable

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FLEET_PACKED_BY_PROCESSOR

#pragma GCC push_options
#pragma GCC target("avx2,fma")
namespace avx2 {
constexpr int kVectorBytes = 32;
constexpr int kMostRows = 6;
constexpr int kMostPanels = 1;
#include "torch/packed_product.inc"
}  // namespace avx2
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f")
namespace avx512 {
constexpr int kVectorBytes = 64;
constexpr int kMostRows = 8;
constexpr int kMostPanels = 2;
#include "torch/packed_product.inc"
}  // namespace avx512
#pragma GCC pop_options
#endif

}  // namespace

const std::vector<AddPackedProduct>& packed_products() {
  static const std::vector<AddPackedProduct> all = [] {
    std::vector<AddPackedProduct> found;
#ifdef FLEET_PACKED_BY_PROCESSOR
    if (__builtin_cpu_supports("avx512f")) found.push_back(avx512::add_product);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found.push_back(avx2::add_product);
#endif
    found.push_back(portable::add_product);
    return found;
  }();
  return all;
}

PackedWeights::PackedWeights(const torch::Tensor& weights, AddPackedProduct add)
    : add_(add), columns_(weights.size(1)), weights_(weights) {
  const std::int64_t panels = (columns_ + kPanel - 1) / kPanel;
  panels_ = at::constant_pad_nd(weights, {0, panels * kPanel - columns_})
                .view({weights.size(0), panels, kPanel})
                .transpose(0, 1)
                .contiguous();
}

void PackedWeights::add_product(const torch::Tensor& from, torch::Tensor& to) const {
  require(from.is_contiguous() && to.is_contiguous() && from.size(1) == weights_.size(0) && to.size(1) == columns_ &&
              from.size(0) == to.size(0),
          "packed weights: the product has other sizes");
  if (from.size(0) >= kManyLanes && (add_ == portable::add_product || at::get_num_threads() > 1)) {
    to.addmm_(from, weights_);
    return;
  }
  add_({.lanes = from.size(0),
        .depth = from.size(1),
        .columns = columns_,
        .from = from.data_ptr<float>(),
        .weights = panels_.data_ptr<float>(),
        .to = to.data_ptr<float>()});
}

}  // namespace fleet
