#include "comm/comm.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <ctime>
#include <thread>

#include "base/error.hpp"
#include "base/random.hpp"
#include "comm/gather.hpp"
#include "comm/placement.hpp"
#include "comm/shared_array.hpp"
#include "comm/stop_notice.hpp"

namespace fleet {
namespace {

class CommTest : public testing::Test {
 protected:
  Comm world_ = MpiSession::world();
};

/// Robots' rows, the same on every rank count.
std::vector<std::vector<float>> rows_of(int robots, std::size_t size) {
  std::vector<std::vector<float>> rows(static_cast<std::size_t>(robots), std::vector<float>(size));
  for (std::size_t robot = 0; robot < rows.size(); ++robot) {
    RandomStream stream(1, Purpose::kTest, robot);
    for (float& value : rows[robot]) value = static_cast<float>(stream.normal() * std::pow(10.0, stream.below(6)));
  }
  return rows;
}

/// The sum of terms first ... first + width - 1 of `values` by halves: the shape that ordered_sum promises.
double halved_sum(std::span<const double> values, std::size_t first, std::size_t width) {
  if (width == 1) return values[first];
  const double left = halved_sum(values, first, width / 2);
  return first + width / 2 < values.size() ? left + halved_sum(values, first + width / 2, width / 2) : left;
}

TEST_F(CommTest, ordered_sum_is_the_sum_by_halves_bit_for_bit_wherever_the_rows_lie) {
  for (const int robots : {1, 2, 5, 7, 8, 37}) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{1000}, std::size_t{20000}}) {
      const std::vector<std::vector<float>> rows = rows_of(robots, size);
      std::vector<float> expected(size);
      for (std::size_t i = 0; i < size; ++i) {
        std::vector<double> terms;
        for (int robot = 0; robot < robots; ++robot) {
          terms.push_back((0.5 + robot) * static_cast<double>(rows[static_cast<std::size_t>(robot)][i]));
        }
        expected[i] = static_cast<float>(halved_sum(terms, 0, 64) * 0.25);
      }
      const Placement even{.robots = robots, .ranks = world_.size()};
      for (const int skew : {0, 1, 4}) {  // the last ranks have the most, or all
        const auto begin = [&](int rank) { return rank == world_.size() ? robots : even.begin(rank) * (4 - skew) / 4; };
        std::vector<Comm::Term> mine;
        for (int robot = begin(world_.rank()); robot < begin(world_.rank() + 1); ++robot) {
          mine.push_back({rows[static_cast<std::size_t>(robot)], 0.5 + robot});
        }
        std::vector<float> sum(size);
        world_.ordered_sum(mine, sum, 0.25);
        EXPECT_EQ(sum, expected) << robots << " robots, " << size << " weights, skew " << skew;
      }
    }
  }
}

TEST_F(CommTest, a_sum_of_nothing_is_zero) {
  std::vector<float> sum(3, 7.0F);
  world_.ordered_sum({}, sum);
  EXPECT_EQ(sum, std::vector<float>(3));
}

TEST_F(CommTest, all_gather_keeps_rank_order_and_unequal_lengths) {
  std::vector<double> mine(static_cast<std::size_t>(world_.rank() % 3), world_.rank());
  std::vector<double> expected;
  for (int rank = 0; rank < world_.size(); ++rank)
    expected.insert(expected.end(), static_cast<std::size_t>(rank % 3), rank);
  EXPECT_EQ(world_.all_gather(mine), expected);
  const std::vector<std::string> names = world_.all_gather(std::string(static_cast<std::size_t>(world_.rank()), 'x'));
  for (int rank = 0; rank < world_.size(); ++rank) {
    EXPECT_EQ(names[static_cast<std::size_t>(rank)].size(), static_cast<std::size_t>(rank));
  }
}

/// Nothing at all, something on one rank, and messages of all lengths.
TEST_F(CommTest, ranks_gather_the_same_from_each_and_by_doubling) {
  for (const int longest : {0, 1, 5, 50'000}) {
    std::vector<std::size_t> counts;
    std::vector<double> expected;
    for (int rank = 0; rank < world_.size(); ++rank) {
      counts.push_back(static_cast<std::size_t>(longest * ((rank + 1) % 3) / 2));
      expected.insert(expected.end(), counts.back(), rank);
    }
    const std::vector<double> mine(counts[static_cast<std::size_t>(world_.rank())], world_.rank());
    for (const auto gather : {gather_from_each, gather_by_doubling, gather_parts}) {
      std::vector<double> all(expected.size());
      gather(world_, {mine.data(), counts, sizeof(double), all.data()});
      EXPECT_EQ(all, expected) << "of up to " << longest;
    }
  }
}

TEST_F(CommTest, an_error_on_one_rank_is_thrown_by_all_with_its_message) {
  const int guilty = world_.size() - 1;
  try {
    world_.together([&] {
      if (world_.rank() == guilty) throw Error(cat("rank ", guilty, " is out of paper"));
    });
    FAIL() << "nothing was thrown";
  } catch (const SharedError& error) {
    EXPECT_EQ(error.what(), cat("rank ", guilty, " is out of paper"));
    EXPECT_EQ(error.is_speaker(), world_.is_root());
  }
  // And the communicator is as good as before.
  EXPECT_EQ(world_.sum(1), world_.size());
}

TEST_F(CommTest, what_a_library_throws_on_one_rank_is_an_error_of_all) {
  EXPECT_THROW(world_.together([&] {
    if (world_.is_root()) throw std::bad_alloc();
  }),
               Error);
  EXPECT_EQ(world_.sum(1), world_.size());
}

TEST_F(CommTest, a_configuration_error_stays_one) {
  EXPECT_THROW(world_.together([&] {
    if (world_.is_root()) throw ConfigError("no such key");
  }),
               ConfigError);
}

TEST_F(CommTest, a_stop_request_on_one_rank_interrupts_all_but_an_error_comes_first) {
  world_.set_stop_request([this] { return world_.rank() == world_.size() / 2; });
  EXPECT_THROW(world_.together([] {}), Interrupted);
  EXPECT_THROW(world_.together([&] {
    if (world_.is_root()) throw Error("broken");
  }),
               SharedError);
}

TEST_F(CommTest, a_stop_notice_reaches_ranks_at_work_and_ranks_that_wait) {
  for (int asked = 0; asked < world_.size(); ++asked) {
    bool signalled = false;
    StopNotice notice(world_, [&] { return signalled; });
    world_.set_stop_request([&] { return notice.requested(); });
    EXPECT_FALSE(notice.requested());
    world_.barrier();
    // The asked rank waits at once, and hears its signal while it does; the others work until they hear of it.
    signalled = world_.rank() == asked;
    EXPECT_THROW(world_.together([&] {
      while (world_.rank() != asked && !notice.requested()) {
      }
    }),
                 Interrupted);
    EXPECT_TRUE(notice.requested());
    world_.set_stop_request(nullptr);
  }
}

TEST_F(CommTest, what_must_be_seen_through_is_not_interrupted_but_fails_on_all_ranks) {
  world_.set_stop_request([] { return true; });
  bool done = false;
  world_.see_through([&] { done = true; });
  EXPECT_TRUE(done);
  EXPECT_THROW(world_.see_through([&] {
    if (world_.rank() == world_.size() - 1) throw Error("disk full");
  }),
               SharedError);
}

TEST_F(CommTest, relay_takes_bytes_from_rank_to_rank) {
  for (int from = 0; from < world_.size(); ++from) {
    std::string bytes = cat("from ", world_.rank());
    world_.relay(bytes, from, 0);
    EXPECT_EQ(bytes, cat("from ", world_.is_root() ? from : world_.rank()));
  }
}

TEST_F(CommTest, split_groups_ranks_by_colour) {
  const Comm half = world_.split(world_.rank() % 2);
  EXPECT_EQ(half.size(), (world_.size() + 1 - world_.rank() % 2) / 2);
  EXPECT_EQ(half.rank(), world_.rank() / 2);
}

TEST_F(CommTest, shared_array_is_filled_once_and_seen_by_all) {
  const Comm node = world_.node();
  int fills = 0;
  const SharedArray array(
      node, [] { return std::size_t{1000}; },
      [&](std::span<std::byte> into) {
        ++fills;
        for (std::size_t i = 0; i < into.size(); ++i) into[i] = static_cast<std::byte>(i % 251);
      });
  EXPECT_EQ(fills, node.is_root() ? 1 : 0);
  ASSERT_EQ(array.bytes().size(), 1000U);
  for (std::size_t i = 0; i < 1000; ++i) ASSERT_EQ(array.bytes()[i], static_cast<std::byte>(i % 251));
}

TEST_F(CommTest, shared_array_that_cannot_be_filled_throws_on_every_rank) {
  const Comm node = world_.node();
  const auto broken = [](std::span<std::byte>) { throw Error("truncated"); };
  EXPECT_THROW(SharedArray(
                   node, [] { return std::size_t{10}; }, broken),
               Error);
  EXPECT_THROW(SharedArray(
                   node, []() -> std::size_t { throw Error("missing"); }, broken),
               Error);
}

TEST_F(CommTest, one_that_waits_leaves_its_processor_to_others) {
  const auto waits = [&](const std::function<void()>& call) {
    if (world_.is_root()) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    const std::clock_t before = std::clock();
    call();
    const double busy = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
    if (!world_.is_root()) {
      EXPECT_LT(busy, 0.1);
    }
  };
  std::vector<float> numbers(100'000);
  waits([&] { world_.barrier(); });
  waits([&] { world_.broadcast(std::span<float>(numbers)); });
  waits([&] { (void)world_.max(1.0); });
  waits([&] { world_.together([] {}); });
  waits([&] {
    const Comm::Term own{numbers, 1.0};
    std::vector<float> sum(numbers.size());
    world_.ordered_sum(std::span(&own, 1), sum);
  });
}

}  // namespace
}  // namespace fleet
