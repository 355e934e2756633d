#include "sweep/queue.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

#include "base/error.hpp"
#include "comm/comm.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

/// Every rank is a group of its own.
class CellQueueTest : public testing::Test {
 protected:
  static bool never() { return false; }
  std::vector<std::size_t> cells(std::size_t count) const {
    std::vector<std::size_t> all(count);
    std::iota(all.rbegin(), all.rend(), 100);
    return all;
  }
  /// How often each cell has been handed out, over all ranks.
  std::map<std::size_t, int> census(const std::vector<double>& taken) const {
    std::map<std::size_t, int> counts;
    for (const double cell : world_.all_gather(taken)) ++counts[static_cast<std::size_t>(cell)];
    return counts;
  }
  /// This group's end of a new queue.
  CellQueue queue(std::size_t count, bool retry_failed) {
    std::string file = (scratch_.path() / cat("queue.", ++queues_)).string();
    world_.broadcast(file);
    return {file, cells(count), world_.rank(), world_.size(), retry_failed};
  }

  Comm world_ = MpiSession::world();
  Scratch scratch_;
  int queues_ = 0;
};

TEST_F(CellQueueTest, hands_out_every_cell_once_in_order) {
  const CellQueue queue = this->queue(50, false);
  std::vector<double> taken;
  while (const auto task = queue.take(never)) {
    taken.push_back(static_cast<double>(task->cell));
    EXPECT_FALSE(queue.finish(*task, false));
  }
  EXPECT_TRUE(std::is_sorted(taken.rbegin(), taken.rend())) << "what comes first is taken first";
  const auto counts = census(taken);
  EXPECT_EQ(counts.size(), 50U);
  for (const auto& [cell, count] : counts) EXPECT_EQ(count, 1) << cell;
}

TEST_F(CellQueueTest, a_group_that_is_busy_does_not_hold_up_the_others) {
  const CellQueue queue = this->queue(20, false);
  std::vector<double> taken;
  if (world_.is_root()) {
    const auto slow = queue.take(never);  // and works on it until all others have done all the rest
    taken.push_back(static_cast<double>(slow->cell));
  }
  world_.barrier();
  while (world_.rank() == world_.size() - 1) {
    const auto task = queue.take(never);
    if (!task) break;
    taken.push_back(static_cast<double>(task->cell));
  }
  world_.barrier();
  EXPECT_EQ(census(taken).size(), 20U);
}

TEST_F(CellQueueTest, a_failed_cell_is_tried_once_more_and_elsewhere) {
  const CellQueue queue = this->queue(10, true);
  std::vector<double> failed_here;
  std::vector<double> taken;
  while (const auto task = queue.take(never)) {
    taken.push_back(static_cast<double>(task->cell));
    const bool fails = task->cell % 3 == 0;
    if (task->second_attempt) {
      EXPECT_EQ(std::count(failed_here.begin(), failed_here.end(), task->cell), 0) << "on another group";
    } else if (fails) {
      failed_here.push_back(static_cast<double>(task->cell));
    }
    EXPECT_EQ(queue.finish(*task, fails), fails && !task->second_attempt && world_.size() > 1);
  }
  for (const auto& [cell, count] : census(taken)) {
    EXPECT_EQ(count, cell % 3 == 0 && world_.size() > 1 ? 2 : 1) << cell;
  }
}

TEST_F(CellQueueTest, waiting_for_a_cell_that_may_fail_ends_with_a_stop) {
  if (world_.size() == 1) GTEST_SKIP() << "alone, nobody waits";
  const CellQueue queue = this->queue(1, true);
  if (world_.is_root()) {
    ASSERT_TRUE(queue.take(never));
  }
  world_.barrier();
  if (!world_.is_root()) {
    EXPECT_THROW((void)queue.take([] { return true; }), Interrupted);
  }
}

}  // namespace
}  // namespace fleet
