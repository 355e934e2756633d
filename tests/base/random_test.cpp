#include "base/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>

namespace fleet {
namespace {

TEST(RandomStream, same_name_gives_same_numbers) {
  RandomStream a(7, Purpose::kTest, 3, 2);
  RandomStream b(7, Purpose::kTest, 3, 2);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(a(), b());
}

TEST(RandomStream, every_part_of_the_name_matters) {
  std::set<std::uint32_t> first;
  for (const std::uint64_t seed : {0U, 1U}) {
    for (const Purpose purpose : {Purpose::kPartition, Purpose::kShuffle}) {
      for (const std::uint64_t robot : {0U, 1U}) {
        for (const std::uint64_t round : {0U, 1U}) first.insert(RandomStream(seed, purpose, robot, round)());
      }
    }
  }
  EXPECT_EQ(first.size(), 16U);
}

TEST(RandomStream, values_are_those_recorded) {
  // Results are reproducible only while these never change.
  RandomStream stream(0, Purpose::kTest);
  const std::array<std::uint32_t, 6> expected = {0x5fffd5adU, 0xd9b8aeedU, 0x8d784725U,
                                                 0x4ac96486U, 0xc7d50569U, 0x39e1212dU};
  for (const std::uint32_t value : expected) EXPECT_EQ(stream(), value);
}

TEST(RandomStream, uniform_and_normal_have_their_moments) {
  RandomStream stream(1, Purpose::kTest);
  constexpr int kDraws = 200000;
  double uniform = 0.0;
  double normal = 0.0;
  double square = 0.0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = stream.uniform();
    ASSERT_GE(u, 0.0);
    ASSERT_LT(u, 1.0);
    uniform += u;
    const double z = stream.normal();
    normal += z;
    square += z * z;
  }
  EXPECT_NEAR(uniform / kDraws, 0.5, 0.005);
  EXPECT_NEAR(normal / kDraws, 0.0, 0.015);
  EXPECT_NEAR(square / kDraws, 1.0, 0.02);
}

TEST(RandomStream, below_is_uniform) {
  RandomStream stream(2, Purpose::kTest);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[stream.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(RandomStream, gamma_has_mean_and_variance_equal_to_its_shape) {
  for (const double shape : {0.3, 1.0, 4.5}) {
    RandomStream stream(3, Purpose::kTest, static_cast<std::uint64_t>(shape * 10));
    constexpr int kDraws = 100000;
    double sum = 0.0;
    double squares = 0.0;
    for (int i = 0; i < kDraws; ++i) {
      const double g = std::exp(stream.log_gamma(shape));
      sum += g;
      squares += g * g;
    }
    const double mean = sum / kDraws;
    EXPECT_NEAR(mean, shape, 0.03 * shape + 0.01);
    EXPECT_NEAR(squares / kDraws - mean * mean, shape, 0.08 * shape + 0.01);
  }
}

TEST(RandomStream, dirichlet_lies_on_the_simplex_for_every_alpha) {
  for (const double alpha : {1e-320, 1e-12, 1e-3, 0.1, 1.0, 100.0, 1e12}) {
    RandomStream stream(4, Purpose::kTest);
    for (int draw = 0; draw < 50; ++draw) {
      const std::vector<double> p = stream.dirichlet(alpha, 10);
      for (const double value : p) {
        ASSERT_GE(value, 0.0) << alpha;
        ASSERT_TRUE(std::isfinite(value)) << alpha;
      }
      ASSERT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1.0, 1e-12) << alpha;
    }
  }
}

TEST(RandomStream, small_alpha_gives_peaks_and_large_alpha_gives_even_shares) {
  RandomStream stream(5, Purpose::kTest);
  double peaky = 0.0;
  double even = 0.0;
  for (int draw = 0; draw < 200; ++draw) {
    const std::vector<double> a = stream.dirichlet(0.01, 10);
    const std::vector<double> b = stream.dirichlet(1000.0, 10);
    peaky += *std::max_element(a.begin(), a.end()) / 200;
    even += *std::max_element(b.begin(), b.end()) / 200;
  }
  EXPECT_GT(peaky, 0.9);
  EXPECT_LT(even, 0.12);
}

TEST(RandomStream, sample_is_sorted_distinct_and_fair) {
  RandomStream stream(6, Purpose::kTest);
  std::array<int, 10> counts{};
  for (int draw = 0; draw < 10000; ++draw) {
    const std::vector<int> members = stream.sample(10, 3);
    ASSERT_EQ(members.size(), 3U);
    ASSERT_TRUE(members[0] < members[1] && members[1] < members[2]);
    for (const int member : members) ++counts[static_cast<std::size_t>(member)];
  }
  for (const int count : counts) EXPECT_NEAR(count, 3000, 250);
}

TEST(RandomStream, a_sample_is_the_beginning_of_a_shuffle_whether_few_or_many_are_drawn) {
  for (const int population : {1, 16, 100, 1000}) {
    for (const int count : {1, population / 20, population / 10, population}) {
      if (count == 0) continue;
      RandomStream stream(8, Purpose::kTest);
      const std::vector<int> drawn = stream.sample(population, count);
      RandomStream again(8, Purpose::kTest);
      std::vector<int> members(static_cast<std::size_t>(population));
      std::iota(members.begin(), members.end(), 0);
      for (int i = 0; i < count; ++i) {
        const auto place = static_cast<std::size_t>(i);
        std::swap(members[place], members[place + again.below(static_cast<std::uint64_t>(population - i))]);
      }
      members.resize(static_cast<std::size_t>(count));
      std::sort(members.begin(), members.end());
      EXPECT_EQ(drawn, members) << count << " of " << population;
    }
  }
}

TEST(RandomStream, shuffle_keeps_the_items) {
  RandomStream stream(7, Purpose::kTest);
  std::vector<int> items(100);
  std::iota(items.begin(), items.end(), 0);
  stream.shuffle(std::span(items));
  EXPECT_FALSE(std::is_sorted(items.begin(), items.end()));
  std::sort(items.begin(), items.end());
  for (int i = 0; i < 100; ++i) EXPECT_EQ(items[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace fleet
