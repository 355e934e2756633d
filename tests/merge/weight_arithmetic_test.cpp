// Arithmetic on weights against what its definitions say, and the same in whatever parts tensors come.
#include "merge/weight_arithmetic.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/random.hpp"

namespace fleet {
namespace {

using Floats = std::vector<float>;

Floats drawn(std::uint64_t seed, std::size_t count = 1000) {
  RandomStream stream(seed, Purpose::kTest);
  Floats values(count);
  for (float& value : values) value = static_cast<float>(stream.normal());
  return values;
}

/// Models that come from one base, and what is merged from them.
struct Merge {
  Floats base = drawn(1);
  std::vector<Floats> models{drawn(2), drawn(3), drawn(4)};
  std::vector<Floats> fisher;
  std::vector<double> weights{1.0, 1.0, 1.0};
  std::vector<float> thresholds{0.0F, 0.0F, 0.0F};
  double scale = 1.0;
  double density = 1.0;
  std::uint64_t stream = 7;

  [[nodiscard]] Floats run(Arithmetic method, std::size_t first = 0, std::size_t count = 1000) const {
    std::vector<std::span<const float>> parts;
    for (const Floats& model : models) parts.push_back(std::span(model).subspan(first, count));
    std::vector<std::span<const float>> known;
    for (const Floats& diagonal : fisher) known.push_back(std::span(diagonal).subspan(first, count));
    Floats out(count);
    combine(method,
            {.models = parts,
             .weights = weights,
             .base = std::span(base).subspan(first, count),
             .fisher = known,
             .scale = scale,
             .density = density,
             .thresholds = thresholds,
             .stream = stream,
             .first = first},
            std::span<float>(out));
    return out;
  }
};

void expect_near(const Floats& a, const Floats& b, double tolerance = 2e-6) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], tolerance) << i;
}

TEST(WeightArithmetic, the_average_of_a_model_with_itself_is_the_model) {
  Merge merge;
  merge.models = {drawn(2), drawn(2)};
  merge.weights = {3.0, 1.0};
  EXPECT_EQ(merge.run(Arithmetic::kAverage), drawn(2));
}

TEST(WeightArithmetic, interpolation_ends_in_its_models) {
  Merge merge;
  merge.models.resize(2);
  merge.weights = {1.0, 0.0};
  EXPECT_EQ(merge.run(Arithmetic::kInterpolate), merge.models[0]);
  merge.weights = {0.0, 1.0};
  EXPECT_EQ(merge.run(Arithmetic::kInterpolate), merge.models[1]);
  merge.weights = {0.5, 0.5};
  const Floats half = merge.run(Arithmetic::kInterpolate);
  merge.weights = {1.0, 1.0};
  EXPECT_EQ(half, merge.run(Arithmetic::kAverage));
}

TEST(WeightArithmetic, one_task_is_its_model_and_all_of_them_add_up) {
  Merge merge;
  for (const Arithmetic method : {Arithmetic::kTask, Arithmetic::kTies, Arithmetic::kDare}) {
    Merge one = merge;
    one.models.resize(1);
    one.weights.resize(1);
    expect_near(one.run(method), one.models[0]);
    one.scale = 0.0;
    EXPECT_EQ(one.run(method), one.base);
  }
  merge.weights = {1.0, -0.5, 2.0};
  merge.scale = 0.25;
  Floats expected(merge.base.size());
  for (std::size_t k = 0; k < expected.size(); ++k) {
    expected[k] = merge.base[k];
    for (std::size_t i = 0; i < 3; ++i) {
      expected[k] += static_cast<float>(0.25 * merge.weights[i]) * (merge.models[i][k] - merge.base[k]);
    }
  }
  expect_near(merge.run(Arithmetic::kTask), expected);
}

/// As Algorithm 1 of TIES says it, entry by entry, with whole vectors at hand.
Floats ties_by_the_book(const Merge& merge, double density) {
  std::vector<Floats> trimmed;
  for (const Floats& model : merge.models) {
    Floats change(model.size());
    for (std::size_t k = 0; k < model.size(); ++k) change[k] = model[k] - merge.base[k];
    Floats order = change;
    std::ranges::sort(order, [](float a, float b) { return std::abs(a) > std::abs(b); });
    const auto kept = static_cast<std::size_t>(std::llround(density * static_cast<double>(order.size())));
    for (float& c : change) {
      if (std::abs(c) < std::abs(order[kept - 1])) c = 0.0F;
    }
    trimmed.push_back(change);
  }
  Floats merged = merge.base;
  for (std::size_t k = 0; k < merged.size(); ++k) {
    float sum = 0.0F;
    for (const Floats& change : trimmed) sum += change[k];
    float mean = 0.0F;
    int agreeing = 0;
    for (const Floats& change : trimmed) {
      if (change[k] * sum <= 0.0F) continue;
      mean += change[k];
      ++agreeing;
    }
    if (agreeing > 0) merged[k] += static_cast<float>(merge.scale) * mean / static_cast<float>(agreeing);
  }
  return merged;
}

TEST(WeightArithmetic, ties_does_what_its_algorithm_says) {
  Merge merge;
  merge.scale = 0.7;
  for (const double density : {0.05, 0.2, 0.9}) {
    for (std::size_t i = 0; i < 3; ++i) {
      MagnitudeThreshold threshold;
      Floats change(merge.base.size());
      for (std::size_t k = 0; k < change.size(); ++k) change[k] = merge.models[i][k] - merge.base[k];
      threshold.add(change);
      threshold.narrow(static_cast<std::uint64_t>(std::llround(density * 1000)));
      threshold.add(change);
      merge.thresholds[i] = threshold.value();
    }
    expect_near(merge.run(Arithmetic::kTies), ties_by_the_book(merge, density));
  }
}

TEST(WeightArithmetic, dare_keeps_its_share_and_the_mean_and_does_not_ask_in_what_parts) {
  Merge merge;
  merge.models.resize(1);
  merge.weights.resize(1);
  merge.density = 0.25;
  Floats mean(1000, 0.0F);
  double kept = 0.0;
  constexpr int kDraws = 400;
  for (int draw = 0; draw < kDraws; ++draw) {
    merge.stream = static_cast<std::uint64_t>(draw);
    const Floats merged = merge.run(Arithmetic::kDare);
    for (std::size_t k = 0; k < 1000; ++k) {
      kept += merged[k] != merge.base[k] ? 1.0 : 0.0;
      mean[k] += merged[k] / kDraws;
    }
  }
  EXPECT_NEAR(kept / (1000.0 * kDraws), 0.25, 0.005);
  double bias = 0.0;
  for (std::size_t k = 0; k < 1000; ++k) bias += (mean[k] - merge.models[0][k]) / 1000.0;
  EXPECT_NEAR(bias, 0.0, 0.02);

  Floats parts;
  for (std::size_t first = 0; first < 1000; first += 125) {
    const Floats part = merge.run(Arithmetic::kDare, first, 125);
    parts.insert(parts.end(), part.begin(), part.end());
  }
  EXPECT_EQ(parts, merge.run(Arithmetic::kDare));
}

TEST(WeightArithmetic, fisher_with_equal_diagonals_is_the_average_and_knows_who_knows) {
  Merge merge;
  merge.weights = {1.0, 2.0, 0.5};
  merge.fisher.assign(3, Floats(1000, 0.3F));
  expect_near(merge.run(Arithmetic::kFisher), merge.run(Arithmetic::kAverage));
  merge.fisher.assign(3, Floats(1000, 0.0F));  // nobody knows anything
  expect_near(merge.run(Arithmetic::kFisher), merge.run(Arithmetic::kAverage));
  merge.fisher[1].assign(1000, 1.0F);
  expect_near(merge.run(Arithmetic::kFisher), merge.models[1]);
}

TEST(WeightArithmetic, double_precision_is_kept) {
  const std::vector<double> one{1.0 + 1e-12};
  const std::vector<double> other{1.0 + 3e-12};
  const std::vector<std::span<const double>> models{one, other};
  const std::vector<double> weights{1.0, 1.0};
  std::vector<double> out(1);
  combine(Arithmetic::kAverage, {.models = models, .weights = weights}, std::span<double>(out));
  EXPECT_NEAR(out[0] - 1.0, 2e-12, 1e-15);
}

TEST(MagnitudeThreshold, it_is_the_magnitude_that_sorting_finds) {
  Floats changes = drawn(9, 5000);
  for (std::size_t k = 0; k < 500; ++k) changes[k] = 0.125F;  // many of the same
  Floats order(changes);
  for (float& value : order) value = std::abs(value);
  std::ranges::sort(order, std::greater<>());
  for (const std::uint64_t kept : {1U, 2U, 100U, 2500U, 4999U, 5000U}) {
    MagnitudeThreshold threshold;
    for (std::size_t first = 0; first < 5000; first += 500) threshold.add(std::span(changes).subspan(first, 500));
    threshold.narrow(kept);
    for (std::size_t first = 0; first < 5000; first += 500) threshold.add(std::span(changes).subspan(first, 500));
    EXPECT_EQ(threshold.value(), order[kept - 1]) << kept;
  }
  MagnitudeThreshold none;
  none.add(changes);
  none.narrow(0);
  none.add(changes);
  EXPECT_TRUE(std::isinf(none.value()));
}

}  // namespace
}  // namespace fleet
