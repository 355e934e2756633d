// Private sums: what the accountant says is what a public one says, masks cancel, noise and bounds are as promised.
#include "merge/privacy.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "comm/placement.hpp"
#include "merge/methods.hpp"
#include "toy_fleet.hpp"

namespace fleet {
namespace {

using toy::ToyFleet;

struct Recorded {
  double sums, noise, epsilon, delta;
};
/// By record_privacy.py; Google's dp-accounting 0.6.0, whose own discretisation is good to some 1e-3 of delta.
constexpr std::array<Recorded, 12> kRecorded = {{{1, 0.8, 0.5, 0.3372809714717588},
                                                 {1, 0.8, 1.0, 0.22101845754862084},
                                                 {1, 0.8, 4.0, 0.001442047332722534},
                                                 {1, 2.0, 0.5, 0.05244032328767438},
                                                 {1, 2.0, 1.0, 0.006829594983115079},
                                                 {12, 0.8, 4.0, 0.8378954723077479},
                                                 {12, 2.0, 0.5, 0.5135314776764317},
                                                 {12, 2.0, 4.0, 0.033613435406508976},
                                                 {12, 20.0, 0.5, 0.00012567798032810427},
                                                 {200, 20.0, 0.5, 0.12372487955722254},
                                                 {200, 20.0, 1.0, 0.03963259300475039},
                                                 {200, 20.0, 4.0, 6.34466615177415e-09}}};

TEST(Accountant, agrees_with_a_public_one) {
  for (const Recorded& r : kRecorded) {
    EXPECT_NEAR(gaussian_delta(r.epsilon, r.noise, r.sums), r.delta, 2e-3 * r.delta)
        << r.sums << " sums, noise " << r.noise << ", epsilon " << r.epsilon;
  }
}

TEST(Accountant, many_sums_are_as_one_with_less_noise) {
  EXPECT_NEAR(gaussian_delta(1.0, 5.0, 25.0), gaussian_delta(1.0, 1.0, 1.0), 1e-12);
}

TEST(Accountant, finds_the_least_noise_that_suffices) {
  for (const double epsilon : {0.1, 1.0, 10.0, 100.0}) {
    for (const double delta : {1e-9, 1e-5, 1e-2}) {
      for (const double sums : {1.0, 7.0, 1000.0}) {
        const double noise = gaussian_noise(epsilon, delta, sums);
        EXPECT_LE(gaussian_delta(epsilon, noise, sums), delta);
        EXPECT_GT(gaussian_delta(epsilon, 0.999 * noise, sums), delta) << epsilon << ' ' << delta << ' ' << sums;
      }
    }
  }
}

constexpr std::size_t kNumbers = 500;

/// Of this rank's robots.
std::vector<PrivateTerm> terms_of(int robots, const Comm& comm, double size = 1.0) {
  std::vector<PrivateTerm> terms;
  const Placement placement{.robots = robots, .ranks = comm.size()};
  for (int robot = placement.begin(comm.rank()); robot < placement.end(comm.rank()); ++robot) {
    RandomStream stream(4, Purpose::kTest, static_cast<std::uint64_t>(robot));
    PrivateTerm& term = terms.emplace_back(PrivateTerm{.robot = robot, .values = {}});
    for (std::size_t i = 0; i < kNumbers; ++i) term.values.push_back(size * stream.normal());
  }
  return terms;
}

std::vector<double> sum_of(const PrivacyOptions& options, double bound, int robots, const Comm& comm,
                           std::vector<PrivateTerm> terms, int round = 1) {
  std::vector<int> all(static_cast<std::size_t>(robots));
  std::iota(all.begin(), all.end(), 0);
  const ParamVector center(toy::symmetry().layout());
  PrivateSums sums(options, 1, 3, round, all, center);
  std::vector<double> result(kNumbers);
  sums.add_up(std::move(terms), bound, result, comm);
  return result;
}

TEST(Masks, cancel_in_the_sum) {
  const Comm world = MpiSession::world();
  const std::vector<double> plain = sum_of({}, 0.0, 7, world, terms_of(7, world));
  const std::vector<double> masked = sum_of({.secure = true}, 0.0, 7, world, terms_of(7, world));
  for (std::size_t i = 0; i < kNumbers; ++i) EXPECT_NEAR(masked[i], plain[i], 7 * 0x1p-32) << i;
}

TEST(Masks, give_the_same_bits_on_any_number_of_ranks) {
  const Comm world = MpiSession::world();
  const Comm alone = world.split(world.rank());
  for (const bool secure : {false, true}) {
    const PrivacyOptions options{.clip = 1.0, .epsilon = 2.0, .secure = secure};
    EXPECT_EQ(sum_of(options, 1.0, 7, world, terms_of(7, world)), sum_of(options, 1.0, 7, alone, terms_of(7, alone)));
  }
}

TEST(Masks, refuse_what_fixed_point_cannot_hold) {
  const Comm world = MpiSession::world();
  EXPECT_THROW((void)sum_of({.secure = true}, 0.0, 3, world, terms_of(3, world, 1e10)), Error);
}

TEST(Noise, of_a_sum_is_as_large_as_promised_whatever_the_number_of_robots) {
  const Comm world = MpiSession::world();
  for (const int robots : {1, 4, 25}) {
    double squares = 0.0;
    for (int round = 1; round <= 20; ++round) {
      const std::vector<double> clear = sum_of({}, 2.0, robots, world, terms_of(robots, world), round);
      const std::vector<double> noisy = sum_of({.epsilon = 3.0}, 2.0, robots, world, terms_of(robots, world), round);
      for (std::size_t i = 0; i < kNumbers; ++i) squares += std::pow(noisy[i] - clear[i], 2);
    }
    const double promised = 2.0 * gaussian_noise(3.0, PrivacyOptions().delta, 1.0);
    EXPECT_NEAR(std::sqrt(squares / (20.0 * kNumbers)), promised, 0.03 * promised) << robots;
  }
}

TEST(Bounds, no_robot_adds_more) {
  const Comm world = MpiSession::world();
  std::vector<PrivateTerm> terms = terms_of(3, world, 1e-6);
  const std::vector<double> without = sum_of({}, 2.0, 3, world, terms);
  for (PrivateTerm& term : terms) {
    if (term.robot == 1) std::fill(term.values.begin(), term.values.end(), 1e6);
  }
  const std::vector<double> with = sum_of({}, 2.0, 3, world, terms);
  double distance = 0.0;
  for (std::size_t i = 0; i < kNumbers; ++i) distance += std::pow(with[i] - without[i], 2);
  EXPECT_NEAR(std::sqrt(distance), 2.0, 1e-3);
}

std::vector<std::unique_ptr<Merger>> private_mergers() {
  std::vector<std::unique_ptr<Merger>> mergers;
  mergers.push_back(make_method("average", {{"merge.average.weighted", Value(false)}}));
  for (const char* body : {"average", "regression"}) {
    mergers.push_back(make_method("regression", {{"merge.regression.align", Value("none")},
                                                 {"merge.regression.body", Value(body)},
                                                 {"merge.regression.head", Value("labels")},
                                                 {"merge.regression.memory", Value(false)}}));
  }
  return mergers;
}

TEST(PrivateMerges, take_as_many_sums_as_they_say_and_send_nothing_else) {
  const Comm world = MpiSession::world();
  for (const std::unique_ptr<Merger>& merger : private_mergers()) {
    ToyFleet fleet(5, world);
    MergeInput input = fleet.input({0, 1, 3, 4});
    const ParamVector center(fleet.symmetry().layout());
    PrivateSums sums({.clip = 5.0, .clip_moments = 5.0, .secure = true}, 1, 3, 1, input.participants, center);
    MergeCost cost;
    input.privately = &sums;
    input.cost = &cost;
    (void)merger->merge(input, world);
    EXPECT_EQ(sums.taken(), merger->private_sums(input.maps));
    EXPECT_EQ(cost.of(Cargo::kScalars).sent, 0U) << "numbers of samples, losses";
    EXPECT_EQ(cost.of(Cargo::kGradients).sent, 0U);
  }
}

/// Without bound, noise and masks a private mean is the mean.
TEST(PrivateMerges, are_the_merge_but_for_bound_and_noise) {
  const Comm world = MpiSession::world();
  const auto merger = make_method("average", {{"merge.average.weighted", Value(false)}});
  ToyFleet fleet(5, world);
  MergeInput input = fleet.input({0, 1, 3, 4});
  const ParamVector plain = merger->merge(input, world).merged;
  ParamVector center(fleet.symmetry().layout());
  std::fill(center.flat().begin(), center.flat().end(), 0.5F);
  PrivateSums sums({.secure = true}, 1, 3, 1, input.participants, center);
  input.privately = &sums;
  const ParamVector merged = merger->merge(input, world).merged;
  for (std::size_t w = 0; w < plain.flat().size(); ++w) EXPECT_NEAR(merged.flat()[w], plain.flat()[w], 1e-6);
}

TEST(PrivateMerges, are_none_of_methods_that_send_more_than_sums) {
  for (const MergerEntry& entry : merger_table()) {
    const Settings none;
    SettingsReader reader(none);
    const std::unique_ptr<Merger> merger = entry.make(reader);
    if (merger == nullptr) continue;
    EXPECT_EQ(merger->private_sums({}), 0) << entry.name << ": by default";
  }
}

}  // namespace
}  // namespace fleet
