// Products with packed weights against LibTorch's, by every set of instructions.
#include "torch/packed_weights.hpp"

#include <gtest/gtest.h>

namespace fleet {
namespace {

using torch::Tensor;

struct ProductCase {
  int lanes;
  int depth;
  int columns;
};

class EveryProduct : public testing::TestWithParam<ProductCase> {
 protected:
  void SetUp() override {
    torch::manual_seed(5);
    torch::set_num_threads(1);  // of several threads the library's product makes use
    const auto [lanes, depth, columns] = GetParam();
    from_ = torch::randn({lanes, depth});
    weights_ = torch::randn({depth, columns});
    before_ = torch::randn({lanes, columns});
  }

  void TearDown() override { torch::set_num_threads(threads_); }

  int threads_ = torch::get_num_threads();
  Tensor from_;
  Tensor weights_;
  Tensor before_;
};

TEST_P(EveryProduct, is_added_to_what_was_there) {
  const Tensor expected = before_.to(torch::kDouble) + from_.to(torch::kDouble).mm(weights_.to(torch::kDouble));
  for (const AddPackedProduct add : packed_products()) {
    Tensor sums = before_.clone();
    PackedWeights(weights_, add).add_product(from_, sums);
    EXPECT_LT((sums - expected).norm().item<double>(), 1e-6 * expected.norm().item<double>());
  }
}

TEST_P(EveryProduct, takes_transposed_weights) {
  Tensor sums = before_.clone();
  Tensor same = before_.clone();
  PackedWeights(weights_).add_product(from_, sums);
  PackedWeights(weights_.t().contiguous().t()).add_product(from_, same);
  EXPECT_TRUE(torch::equal(sums, same));
}

TEST_P(EveryProduct, has_the_same_bits_whatever_lanes_stand_together) {
  for (const AddPackedProduct add : packed_products()) {
    const bool by_library = GetParam().lanes >= 16 && add == packed_products().back();
    if (by_library) continue;
    const PackedWeights packed(weights_, add);
    Tensor all = before_.clone();
    packed.add_product(from_, all);
    for (int lane = 0; lane < GetParam().lanes; ++lane) {
      Tensor alone = before_.narrow(0, lane, 1).clone();
      packed.add_product(from_.narrow(0, lane, 1), alone);
      EXPECT_TRUE(torch::equal(alone, all.narrow(0, lane, 1))) << "lane " << lane;
    }
  }
}

std::vector<ProductCase> every_product() {
  std::vector<ProductCase> cases{{1, 1, 1}, {2, 3, 16}, {4, 600, 33}, {50, 256, 64}, {7, 20, 48}, {3, 257, 1024}};
  for (int lanes = 1; lanes <= 17; ++lanes) cases.push_back({lanes, 7, 47});
  return cases;
}

std::string name_of_product(const testing::TestParamInfo<ProductCase>& tested) {
  const auto [lanes, depth, columns] = tested.param;
  return std::to_string(lanes) + "_lanes_" + std::to_string(depth) + "_x_" + std::to_string(columns);
}

INSTANTIATE_TEST_SUITE_P(Shapes, EveryProduct, testing::ValuesIn(every_product()), name_of_product);

}  // namespace
}  // namespace fleet
