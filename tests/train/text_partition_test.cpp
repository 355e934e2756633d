#include "train/text_partition.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"

namespace fleet {
namespace {

using TextKind = TextPartitionOptions::Kind;
constexpr int kWindow = 20;

/// Six plays of ten roles that say from 1 to some 3,000 characters.
std::vector<TextRole> make_roles() {
  RandomStream stream(7, Purpose::kTest);
  std::vector<TextRole> roles;
  std::int64_t end = 0;
  for (std::int32_t i = 0; i < 60; ++i) {
    const std::int64_t begin = end;
    end += 1 + static_cast<std::int64_t>(std::exp(8.0 * stream.uniform()));
    roles.push_back({.name = "ROLE", .play = i / 10, .text = {begin, end}, .lines = 1 + (end - begin) / 30});
  }
  return roles;
}

TextPartitionOptions options_of(TextKind kind, int robots) {
  return {.kind = kind, .robots = robots, .alpha = 0.5, .window = kWindow, .held_out = 0.1};
}

/// How often each character of a text is in the ranges.
void count(const std::vector<TextRange>& ranges, std::vector<int>& counts) {
  for (const TextRange& range : ranges) {
    ASSERT_LE(0, range.begin);
    ASSERT_LE(2, range.size());  // a prediction at least
    ASSERT_LE(range.end, static_cast<std::int64_t>(counts.size()));
    for (std::int64_t i = range.begin; i < range.end; ++i) ++counts[static_cast<std::size_t>(i)];
  }
}

class TextPartitionTest : public testing::TestWithParam<TextKind> {};

TEST_P(TextPartitionTest, shards_and_tests_are_disjoint_and_cover_the_roles_in_use) {
  const std::vector<TextRole> roles = make_roles();
  const auto size = static_cast<std::size_t>(roles.back().text.end);
  for (const int robots : {1, 2, 5, 17}) {
    const TextPartition partition = partition_text(roles, options_of(GetParam(), robots), 3);
    ASSERT_EQ(partition.shards.size(), static_cast<std::size_t>(robots));
    std::vector<int> trained(size);
    std::vector<int> tested(size);
    for (const TextShard& shard : partition.shards) {
      count(shard.train, trained);
      count(shard.held_out, trained);
    }
    for (const RoleSplit& split : partition.roles) count({split.test}, tested);
    std::vector<int> expected(size);
    for (const RoleSplit& split : partition.roles) {
      const TextRange& text = roles[static_cast<std::size_t>(split.role)].text;
      EXPECT_EQ(split.train.begin, text.begin);
      EXPECT_EQ(split.train.end, split.test.begin);
      EXPECT_EQ(split.test.end, text.end);
      count({split.train}, expected);
    }
    EXPECT_EQ(trained, expected);
    for (std::size_t i = 0; i < size; ++i) ASSERT_LE(trained[i] + tested[i], 1);
  }
}

TEST_P(TextPartitionTest, is_the_same_again_and_no_range_spans_two_roles) {
  const std::vector<TextRole> roles = make_roles();
  const TextPartition a = partition_text(roles, options_of(GetParam(), 5), 3);
  const TextPartition b = partition_text(roles, options_of(GetParam(), 5), 3);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(a.shards[i].train, b.shards[i].train);
    EXPECT_EQ(a.shards[i].held_out, b.shards[i].held_out);
    for (const TextRange& range : a.shards[i].train) {
      EXPECT_EQ(std::count_if(
                    roles.begin(), roles.end(),
                    [&](const TextRole& role) { return role.text.begin <= range.begin && range.end <= role.text.end; }),
                1);
    }
  }
}

TEST_P(TextPartitionTest, play_counts_add_up_to_the_shards) {
  const std::vector<TextRole> roles = make_roles();
  const TextPartition partition = partition_text(roles, options_of(GetParam(), 5), 3);
  const auto counts = characters_by_play(partition, roles);
  ASSERT_EQ(counts.size(), 5U);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    std::int64_t total = 0;
    for (const TextRange& range : partition.shards[i].train) total += range.size();
    EXPECT_EQ(std::accumulate(counts[i].begin(), counts[i].end(), std::int64_t{0}), total);
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, TextPartitionTest,
                         testing::Values(TextKind::kLargest, TextKind::kGrouped, TextKind::kDirichletPlays,
                                         TextKind::kDirichletRoles, TextKind::kContiguous));

std::vector<std::int64_t> sizes(const TextPartition& partition) {
  std::vector<std::int64_t> result;
  for (const TextShard& shard : partition.shards) {
    std::int64_t size = 0;
    for (const auto* ranges : {&shard.train, &shard.held_out}) {
      for (const TextRange& range : *ranges) size += range.size();
    }
    result.push_back(size);
  }
  return result;
}

TEST(TextPartition, largest_gives_each_robot_one_role_and_leaves_none_that_says_more) {
  const std::vector<TextRole> roles = make_roles();
  std::vector<std::int64_t> all = sizes(partition_text(roles, options_of(TextKind::kLargest, 20), 0));
  const TextPartition few = partition_text(roles, options_of(TextKind::kLargest, 5), 0);
  EXPECT_EQ(few.roles.size(), 5U);
  std::vector<std::int64_t> largest = sizes(few);
  std::sort(all.rbegin(), all.rend());
  std::sort(largest.rbegin(), largest.rend());
  EXPECT_EQ(largest, std::vector(all.begin(), all.begin() + 5));
  std::int64_t before = -1;
  for (const TextShard& shard : few.shards) {
    ASSERT_EQ(shard.train.size(), 1U);
    EXPECT_GT(shard.train.front().begin, before) << "robots are not in the order of the text";
    before = shard.train.front().begin;
  }
}

TEST(TextPartition, grouped_and_contiguous_are_even) {
  const std::vector<TextRole> roles = make_roles();
  const std::vector<std::int64_t> grouped = sizes(partition_text(roles, options_of(TextKind::kGrouped, 4), 0));
  const double mean = static_cast<double>(std::accumulate(grouped.begin(), grouped.end(), std::int64_t{0})) / 4.0;
  EXPECT_LE(static_cast<double>(*std::max_element(grouped.begin(), grouped.end())), 4.0 / 3.0 * mean);
  const std::vector<std::int64_t> even = sizes(partition_text(roles, options_of(TextKind::kContiguous, 4), 0));
  for (const std::int64_t size : even) EXPECT_NEAR(static_cast<double>(size), mean, 0.1 * mean);
}

TEST(TextPartition, smaller_alpha_is_more_heterogeneous_and_the_seed_decides) {
  const std::vector<TextRole> roles = make_roles();
  const auto largest_share = [&](double alpha) {
    double sum = 0.0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      TextPartitionOptions options = options_of(TextKind::kDirichletPlays, 3);
      options.alpha = alpha;
      for (const auto& row : characters_by_play(partition_text(roles, options, seed), roles)) {
        const auto total = std::accumulate(row.begin(), row.end(), std::int64_t{0});
        if (total > 0)
          sum += static_cast<double>(*std::max_element(row.begin(), row.end())) / static_cast<double>(total);
      }
    }
    return sum;
  };
  EXPECT_GT(largest_share(0.1), largest_share(1.0));
  EXPECT_GT(largest_share(1.0), largest_share(100.0));
  const TextPartitionOptions options = options_of(TextKind::kDirichletRoles, 3);
  EXPECT_NE(sizes(partition_text(roles, options, 0)), sizes(partition_text(roles, options, 1)));
}

// LEAF: of n = length - 80 windows the first int(0.9 n) are trained on; tests begin 79 windows later, of which there
// must be one.
TEST(TextPartition, splits_as_leaf_does) {
  for (std::int64_t length = 1; length < 2000; ++length) {
    const std::int64_t samples = length - 80;
    const std::int64_t trained = samples >= 1 ? std::max<std::int64_t>(1, samples * 9 / 10) : 0;
    const bool kept = samples - (trained + 79) >= 1;
    const std::vector<TextRole> roles = {{.name = "A", .play = 0, .text = {0, length}, .lines = 3}};
    const std::vector<RoleSplit> splits = split_roles(roles, {});
    ASSERT_EQ(splits.size(), kept ? 1U : 0U) << length;
    if (kept) {
      EXPECT_EQ(samples_in(splits[0].train.size(), 80), trained) << length;
    }
  }
}

TEST(TextPartition, roles_that_say_too_little_are_left_out) {
  const auto kept = [](std::int64_t lines, TextPartitionOptions options) {
    const std::vector<TextRole> roles = {{.name = "A", .play = 0, .text = {0, 1000}, .lines = lines}};
    return split_roles(roles, options).size();
  };
  EXPECT_EQ(kept(2, {}), 0U);
  EXPECT_EQ(kept(3, {}), 1U);
  EXPECT_EQ(kept(3, {.min_samples = 920}), 1U);
  EXPECT_EQ(kept(3, {.min_samples = 921}), 0U);
  EXPECT_EQ(kept(3, {.window = 1000}), 0U);
}

TEST(TextPartition, more_robots_than_roles_and_windows_longer_than_roles_are_errors) {
  const std::vector<TextRole> roles = make_roles();
  for (const TextKind kind : {TextKind::kLargest, TextKind::kGrouped}) {
    EXPECT_THROW((void)partition_text(roles, options_of(kind, 61), 0), Error);
  }
  EXPECT_THROW((void)partition_text(roles, options_of(TextKind::kContiguous, 100000), 0), Error);
  TextPartitionOptions wide = options_of(TextKind::kContiguous, 2);
  wide.window = 100000;
  EXPECT_THROW((void)partition_text(roles, wide, 0), Error);
  for (const TextKind kind : {TextKind::kDirichletPlays, TextKind::kDirichletRoles}) {
    const TextPartition thin = partition_text(roles, options_of(kind, 900), 0);
    EXPECT_EQ(thin.shards.size(), 900U);  // many of them have nothing
    EXPECT_THROW((void)partition_text(roles, options_of(kind, 1000), 0), TooManyRobots) << "all but 925 must";
  }
}

TEST(TextVocabulary, has_a_code_for_every_character) {
  for (std::size_t i = 0; i < kTextVocabulary.size(); ++i) EXPECT_EQ(code_of(kTextVocabulary[i]), i);
  for (const char c : {'$', '~', '\t', '\xE9'}) EXPECT_EQ(code_of(c), kTextVocabulary.find('}'));
}

}  // namespace
}  // namespace fleet
