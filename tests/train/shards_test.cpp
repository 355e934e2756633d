#include "train/shards.hpp"
#include "train/even_labels.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <set>

namespace fleet {
namespace {

PartitionOptions drawn(int robots, std::int64_t samples) {
  return {.kind = PartitionOptions::Kind::kDrawn, .robots = robots, .alpha = 0.5, .drawn = samples};
}

TEST(Shards, those_that_are_listed_come_back_as_they_were) {
  const std::vector<Shard> listed = {{.train = {3, 1}, .held_out = {2}}, {}, {.train = {}, .held_out = {5, 4}}};
  const Shards shards = listed;
  ASSERT_EQ(shards.robots(), 3);
  for (int i = 0; i < 3; ++i) {
    const Shard& own = listed[static_cast<std::size_t>(i)];
    EXPECT_EQ(shards.of(i).train, own.train);
    EXPECT_EQ(shards.of(i).held_out, own.held_out);
    EXPECT_EQ(shards.samples(i).train, std::ssize(own.train));
    EXPECT_EQ(shards.samples(i).held_out, std::ssize(own.held_out));
  }
}

TEST(Shards, of_a_partition_are_that_partition) {
  const std::vector<std::uint8_t> labels = even_labels(30);
  const PartitionOptions options{.kind = PartitionOptions::Kind::kPerClass, .robots = 7, .alpha = 0.5};
  const std::vector<Shard> expected = partition(labels, kClasses, options, 3);
  const Shards shards = share_out(labels, kClasses, options, 3);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(shards.of(i).train, expected[static_cast<std::size_t>(i)].train);
}

TEST(DrawnShards, are_the_same_whenever_they_are_asked_for_and_differ_from_robot_to_robot) {
  const std::vector<std::uint8_t> labels = even_labels(30);
  const Shards shards = share_out(labels, kClasses, drawn(1'000'000, 40), 3);
  const Shards again = share_out(labels, kClasses, drawn(1'000'000, 40), 3);
  const std::vector<std::int32_t> last = shards.of(999'999).train;
  const std::vector<std::int32_t> first = shards.of(0).train;
  EXPECT_EQ(again.of(999'999).train, last);
  EXPECT_NE(first, last);
  EXPECT_NE(share_out(labels, kClasses, drawn(1'000'000, 40), 4).of(0).train, first);
}

TEST(DrawnShards, have_the_size_that_is_asked_for_and_no_sample_twice_unless_a_class_is_too_small) {
  const std::vector<std::uint8_t> labels = even_labels(30);
  const Shards shards = share_out(labels, kClasses, drawn(50, 20), 3);
  std::set<std::int32_t> held_out;
  std::set<std::int32_t> trained;
  for (int i = 0; i < 50; ++i) {
    const Shard shard = shards.of(i);
    EXPECT_EQ(std::ssize(shard.train), 20);
    EXPECT_EQ(std::ssize(shard.train), shards.samples(i).train);
    EXPECT_EQ(std::ssize(shard.held_out), shards.samples(i).held_out);
    const std::vector<std::int64_t> counts = histogram_of(shard, labels, kClasses);
    const auto largest = *std::ranges::max_element(counts);
    const std::set<std::int32_t> once(shard.train.begin(), shard.train.end());
    if (largest <= 27) {
      EXPECT_EQ(once.size(), 20U);
    }
    trained.insert(shard.train.begin(), shard.train.end());
    held_out.insert(shard.held_out.begin(), shard.held_out.end());
  }
  std::vector<std::int32_t> both;
  std::ranges::set_intersection(trained, held_out, std::back_inserter(both));
  EXPECT_TRUE(both.empty()) << "nobody trains on what is held out";
  EXPECT_EQ(std::ssize(share_out(labels, kClasses, drawn(5, 1000), 3).of(1).train), 1000) << "of 270";
}

TEST(DrawnShards, of_a_few_classes_have_them_in_equal_parts) {
  PartitionOptions options = drawn(30, 20);
  options.classes_each = 2;
  const std::vector<std::uint8_t> labels = even_labels(30);
  const Shards shards = share_out(labels, kClasses, options, 3);
  std::set<std::vector<std::int64_t>> seen;
  for (int i = 0; i < 30; ++i) {
    const std::vector<std::int64_t> counts = histogram_of(shards.of(i), labels, kClasses);
    EXPECT_EQ(std::ranges::count(counts, 10), 2);
    EXPECT_EQ(std::ranges::count(counts, 0), 8);
    seen.insert(counts);
  }
  EXPECT_GT(seen.size(), 10U);
}

TEST(DrawnShards, of_a_power_law_keep_the_mean_and_have_few_that_are_large) {
  PartitionOptions options = drawn(20'000, 50);
  options.size_exponent = 2.5;
  const Shards shards = share_out(even_labels(30), kClasses, options, 3);
  std::vector<std::int64_t> sizes;
  for (int i = 0; i < options.robots; ++i) sizes.push_back(shards.samples(i).train);
  std::ranges::sort(sizes);
  const double mean = static_cast<double>(std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0})) / 20'000;
  EXPECT_NEAR(mean, 50.0, 3.0);
  EXPECT_EQ(sizes.front(), 30) << "50 (a - 1) / a";
  EXPECT_NEAR(static_cast<double>(sizes[10'000]), 30.0 * std::pow(2.0, 1.0 / 2.5), 1.5);
  EXPECT_GT(sizes.back(), 500);
  EXPECT_LE(sizes.back(), 5000);
  EXPECT_EQ(std::ssize(shards.of(7).train), shards.samples(7).train);
}

}  // namespace
}  // namespace fleet
