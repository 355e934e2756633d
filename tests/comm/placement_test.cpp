#include "comm/placement.hpp"

#include <gtest/gtest.h>

namespace fleet {
namespace {

TEST(Placement, every_robot_has_one_rank_and_blocks_are_even_and_ascending) {
  for (int robots = 0; robots <= 20; ++robots) {
    for (int ranks = 1; ranks <= 8; ++ranks) {
      const Placement placement{.robots = robots, .ranks = ranks};
      EXPECT_EQ(placement.begin(0), 0);
      EXPECT_EQ(placement.end(ranks - 1), robots);
      for (int rank = 0; rank < ranks; ++rank) {
        const int size = placement.end(rank) - placement.begin(rank);
        EXPECT_GE(size, robots / ranks);
        EXPECT_LE(size, (robots + ranks - 1) / ranks);
        for (int i = placement.begin(rank); i < placement.end(rank); ++i) EXPECT_EQ(placement.owner(i), rank);
      }
    }
  }
}

}  // namespace
}  // namespace fleet
