// The law of resuming, for robots that learn online.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "awake.hpp"

namespace fleet {

/// One that goes on from what another has saved has the weights of one that was never interrupted, and answers alike.
inline void expect_resumes_with_the_same_bits(Workload& workload) {
  const auto [whole, resumed] = interrupted(workload, 0, 4, 5);
  EXPECT_TRUE(std::ranges::equal(whole->weights().flat(), resumed->weights().flat()));
  ParamVector slopes(workload.symmetry().layout());
  ParamVector others = slopes;
  RandomStream one(3, Purpose::kTest);
  RandomStream two(3, Purpose::kTest);
  EXPECT_EQ(whole->loss_gradient(whole->weights(), 16, one, slopes),
            resumed->loss_gradient(whole->weights(), 16, two, others));
  EXPECT_TRUE(std::ranges::equal(slopes.flat(), others.flat()));
}

}  // namespace fleet
