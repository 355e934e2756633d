#include "train/partition.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "train/even_labels.hpp"

namespace fleet {
namespace {

using Kind = PartitionOptions::Kind;
std::size_t total(const std::vector<Shard>& shards) {
  std::size_t sum = 0;
  for (const Shard& shard : shards) sum += shard.train.size();
  return sum;
}

std::vector<double> class_shares(const std::vector<std::int32_t>& samples, const std::vector<std::uint8_t>& labels) {
  std::vector<double> shares(kClasses, 0.0);
  for (const std::int32_t sample : samples) {
    shares[labels[static_cast<std::size_t>(sample)]] += 1.0 / static_cast<double>(samples.size());
  }
  return shares;
}

class PartitionTest : public testing::TestWithParam<Kind> {};

TEST_P(PartitionTest, ends_and_stays_in_bounds_for_every_alpha_and_fleet) {
  const std::vector<std::uint8_t> labels = even_labels(30);
  for (const double alpha : {1e-300, 1e-6, 0.1, 1.0, 1e9}) {
    for (const int robots : {1, 2, 7, 300, 1000}) {
      const auto shards = partition(labels, kClasses, {.kind = GetParam(), .robots = robots, .alpha = alpha}, 3);
      ASSERT_EQ(shards.size(), static_cast<std::size_t>(robots));
      for (const Shard& shard : shards) {
        for (const std::int32_t sample : shard.train) ASSERT_TRUE(sample >= 0 && sample < 300);
      }
    }
  }
}

TEST_P(PartitionTest, no_robot_trains_on_what_any_robot_holds_out) {
  const std::vector<std::uint8_t> labels = even_labels(100);
  const auto shards = partition(labels, kClasses, {.kind = GetParam(), .robots = 5, .alpha = 0.3, .held_out = 0.2}, 1);
  std::set<std::int32_t> trained;
  std::set<std::int32_t> held_out;
  for (const Shard& shard : shards) {
    trained.insert(shard.train.begin(), shard.train.end());
    held_out.insert(shard.held_out.begin(), shard.held_out.end());
  }
  for (const std::int32_t sample : held_out) EXPECT_FALSE(trained.contains(sample));
  EXPECT_FALSE(held_out.empty());
}

TEST_P(PartitionTest, no_two_robots_train_on_samples_of_one_episode) {
  const std::vector<std::uint8_t> labels = even_labels(100);
  std::vector<std::int32_t> episodes;  // of five samples each
  for (int i = 0; i < 100 * kClasses; ++i) episodes.push_back(i % (10 * kClasses) + (i < 500 ? 0 : 10 * kClasses));
  for (const double alpha : {1.0, 1e9}) {
    const PartitionOptions options{.kind = GetParam(), .robots = 5, .alpha = alpha, .held_out = 0.0};
    std::vector<std::size_t> sizes;
    std::map<std::int32_t, std::set<std::size_t>> robots;  // by episode
    const std::vector<Shard> shards = partition(labels, kClasses, options, 1, episodes);
    for (std::size_t i = 0; i < shards.size(); ++i) {
      sizes.push_back(shards[i].train.size());
      for (const std::int32_t sample : shards[i].train) {
        robots[episodes[static_cast<std::size_t>(sample)]].insert(i);
      }
    }
    if (GetParam() == Kind::kMixture && alpha == 1.0) {  // some classes run out, and their episodes come again
      for (const std::size_t size : sizes) EXPECT_NEAR(static_cast<double>(size), 200.0, 5.0 * kClasses);
      continue;
    }
    EXPECT_EQ(robots.size(), 200U);
    for (const auto& [episode, owners] : robots) EXPECT_EQ(owners.size(), 1U) << episode;
  }
}

TEST_P(PartitionTest, episodes_are_held_out_whole_of_every_class) {
  const std::vector<std::uint8_t> labels = even_labels(100);
  std::vector<std::int32_t> episodes;  // ten of each class
  for (int i = 0; i < 100 * kClasses; ++i) episodes.push_back(i % (10 * kClasses));
  for (const auto& [share, count] : {std::pair(0.0, 0), std::pair(0.01, 1), std::pair(0.3, 3), std::pair(0.9, 9)}) {
    const PartitionOptions options{.kind = GetParam(), .robots = 5, .alpha = 1e9, .held_out = share};
    std::set<std::int32_t> trained;
    std::set<std::int32_t> held_out;
    for (const Shard& shard : partition(labels, kClasses, options, 1, episodes)) {
      for (const std::int32_t sample : shard.train) trained.insert(episodes[static_cast<std::size_t>(sample)]);
      for (const std::int32_t sample : shard.held_out) held_out.insert(episodes[static_cast<std::size_t>(sample)]);
    }
    EXPECT_EQ(held_out.size(), static_cast<std::size_t>(count * kClasses)) << share;
    EXPECT_EQ(trained.size(), static_cast<std::size_t>((10 - count) * kClasses)) << share;
    for (const std::int32_t episode : held_out) EXPECT_FALSE(trained.contains(episode));
  }
}

TEST_P(PartitionTest, the_seed_decides_everything) {
  const std::vector<std::uint8_t> labels = even_labels(100);
  const PartitionOptions options{.kind = GetParam(), .robots = 4, .alpha = 0.5};
  const auto a = partition(labels, kClasses, options, 1);
  const auto b = partition(labels, kClasses, options, 1);
  const auto c = partition(labels, kClasses, options, 2);
  EXPECT_EQ(a[0].train, b[0].train);
  EXPECT_NE(a[0].train, c[0].train);
}

TEST_P(PartitionTest, what_there_is_to_deal_is_counted_beforehand) {
  const std::vector<std::uint8_t> labels = even_labels(30);
  std::vector<std::int32_t> episodes;  // of three samples each
  for (int i = 0; i < 30 * kClasses; ++i) episodes.push_back(i % (10 * kClasses));
  for (const double share : {0.0, 0.05, 0.3}) {
    for (const std::int64_t samples : {0, 1, 7, 100}) {
      const PartitionOptions options{.kind = GetParam(), .robots = 1, .held_out = share, .samples = samples};
      const SampleCounts counts = count_samples(labels, kClasses, options, 5);
      const Shard shard = partition(labels, kClasses, options, 5).front();
      EXPECT_EQ(counts.train, static_cast<std::int64_t>(shard.train.size()));
      EXPECT_EQ(counts.held_out, static_cast<std::int64_t>(shard.held_out.size()));
    }
    const PartitionOptions options{.kind = GetParam(), .robots = 1, .alpha = 1e9, .held_out = share};
    const SampleCounts counts = count_samples(labels, kClasses, options, 5, episodes);
    const Shard shard = partition(labels, kClasses, options, 5, episodes).front();
    EXPECT_EQ(counts.train, static_cast<std::int64_t>(shard.train.size()));
    EXPECT_EQ(counts.held_out, static_cast<std::int64_t>(shard.held_out.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PartitionTest, testing::Values(Kind::kMixture, Kind::kPerClass, Kind::kIid));

TEST(Partition, per_class_and_iid_use_every_sample_once) {
  const std::vector<std::uint8_t> labels = even_labels(100);
  for (const Kind kind : {Kind::kPerClass, Kind::kIid}) {
    const auto shards = partition(labels, kClasses, {.kind = kind, .robots = 7, .alpha = 0.2, .held_out = 0.0}, 5);
    std::set<std::int32_t> seen;
    for (const Shard& shard : shards) seen.insert(shard.train.begin(), shard.train.end());
    EXPECT_EQ(total(shards), 1000U);
    EXPECT_EQ(seen.size(), 1000U);
  }
}

TEST(Partition, mixture_gives_every_robot_the_same_number_and_repeats_only_what_ran_out) {
  const std::vector<std::uint8_t> labels = even_labels(100);
  const auto even =
      partition(labels, kClasses, {.kind = Kind::kMixture, .robots = 5, .alpha = 1e9, .held_out = 0.0}, 5);
  std::set<std::int32_t> seen;
  for (const Shard& shard : even) {
    EXPECT_EQ(shard.train.size(), 200U);
    seen.insert(shard.train.begin(), shard.train.end());
    for (const double share : class_shares(shard.train, labels)) EXPECT_NEAR(share, 0.1, 0.006);
  }
  EXPECT_EQ(seen.size(), 1000U);  // an even mixture is a partition

  const auto peaky =
      partition(labels, kClasses, {.kind = Kind::kMixture, .robots = 5, .alpha = 1e-6, .held_out = 0.0}, 5);
  for (const Shard& shard : peaky) {
    EXPECT_EQ(shard.train.size(), 200U);
    const std::vector<double> shares = class_shares(shard.train, labels);
    EXPECT_DOUBLE_EQ(*std::max_element(shares.begin(), shares.end()), 1.0);
  }
}

TEST(Partition, held_out_data_follow_the_same_mixture_as_training_data) {
  const std::vector<std::uint8_t> labels = even_labels(1000);
  const auto shards =
      partition(labels, kClasses, {.kind = Kind::kMixture, .robots = 4, .alpha = 0.5, .held_out = 0.5}, 8);
  for (const Shard& shard : shards) {
    const std::vector<double> trained = class_shares(shard.train, labels);
    const std::vector<double> kept = class_shares(shard.held_out, labels);
    for (std::size_t k = 0; k < trained.size(); ++k) EXPECT_NEAR(trained[k], kept[k], 0.01);
  }
}

TEST(Partition, smaller_alpha_is_more_heterogeneous) {
  const std::vector<std::uint8_t> labels = even_labels(500);
  const auto largest_share = [&](double alpha) {
    double sum = 0.0;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      for (const Shard& shard :
           partition(labels, kClasses, {.kind = Kind::kMixture, .robots = 5, .alpha = alpha}, seed)) {
        const std::vector<double> shares = class_shares(shard.train, labels);
        sum += *std::max_element(shares.begin(), shares.end()) / 50.0;
      }
    }
    return sum;
  };
  EXPECT_GT(largest_share(0.1), largest_share(1.0));
  EXPECT_GT(largest_share(1.0), largest_share(10.0));
}

TEST(Partition, a_class_that_is_missing_takes_no_share) {
  std::vector<std::uint8_t> labels(100, 3);
  const auto shards =
      partition(labels, kClasses, {.kind = Kind::kMixture, .robots = 4, .alpha = 0.1, .held_out = 0.0}, 1);
  for (const Shard& shard : shards) EXPECT_EQ(shard.train.size(), 25U);
}

TEST(Partition, a_label_out_of_range_and_too_many_samples_are_errors) {
  std::vector<std::uint8_t> labels(100, 12);
  EXPECT_THROW((void)partition(labels, kClasses, {}, 1), Error);
  labels.assign(100, 1);
  EXPECT_THROW((void)partition(labels, kClasses, {.samples = 101}, 1), Error);
  EXPECT_THROW((void)partition(labels, kClasses, {}, 1, std::vector<std::int32_t>(99)), Error);
  EXPECT_EQ(partition(labels, kClasses, {.robots = 1, .held_out = 0.0, .samples = 40}, 1)[0].train.size(), 40U);
}

}  // namespace
}  // namespace fleet
