#include "lqg/tall_product.hpp"

#include <gtest/gtest.h>

#include "systems.hpp"

namespace fleet {
namespace {

using namespace lqg_test;

// Sizes that leave a rest whatever is taken at once, one, and none.
constexpr Index kDepths[] = {1, 3, 4, 8, 50};
constexpr Index kColumns[] = {0, 1, 2, 3, 4, 7, 8};

TEST(TallProduct, is_added_to_what_is_there) {
  RandomStream stream(1, Purpose::kTest);
  for (const Index rows : {1, 5, 8, 50, 131}) {
    for (const Index depth : kDepths) {
      for (const Index columns : kColumns) {
        const MatrixXd around = gaussian(rows + 3, depth, stream);  // of which the factor is a part
        const MatrixXd small = gaussian(depth, columns, stream);
        MatrixXd sum = gaussian(rows, columns, stream);
        const MatrixXd expected = sum + around.middleRows(2, rows) * small;
        add_product(around.middleRows(2, rows), small, sum);
        EXPECT_TRUE(sum.isApprox(expected, 1e-13)) << rows << ' ' << depth << ' ' << columns;
      }
    }
  }
}

TEST(Propagate, goes_from_block_to_block_in_either_direction) {
  RandomStream stream(2, Purpose::kTest);
  for (const Index states : {1, 2, 3, 4, 9}) {
    const MatrixXd small = gaussian(states, states, stream) / static_cast<double>(states);
    for (const Index width : {1, 5, 16, 21}) {
      for (const Index blocks : {1, 2, 7}) {
        const MatrixXd start = gaussian(width * blocks, states, stream);
        MatrixXd expected = start;
        MatrixXd rows = start;
        for (Index k = 1; k < blocks; ++k) {
          expected.middleRows(k * width, width) += expected.middleRows((k - 1) * width, width) * small;
        }
        propagate(small, width, InTime::kForward, rows);
        EXPECT_TRUE(rows.isApprox(expected, 1e-12)) << states << ' ' << width << ' ' << blocks;

        expected = rows = start;
        for (Index k = blocks - 2; k >= 0; --k) {
          expected.middleRows(k * width, width) += expected.middleRows((k + 1) * width, width) * small;
        }
        propagate(small, width, InTime::kBackward, rows);
        EXPECT_TRUE(rows.isApprox(expected, 1e-12)) << states << ' ' << width << ' ' << blocks;
      }
    }
  }
}

}  // namespace
}  // namespace fleet
