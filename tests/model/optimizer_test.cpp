#include "model/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/random.hpp"

namespace fleet {
namespace {

std::vector<float> random_vector(std::uint64_t name, std::size_t size) {
  RandomStream stream(name, Purpose::kTest);
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(stream.normal());
  return values;
}

TEST(Optimizer, adam_follows_kingma_and_ba) {
  const OptimizerOptions options{.learning_rate = 0.01, .weight_decay = 0.1};
  constexpr std::size_t kSize = 37;  // no multiple of a vector register
  std::vector<float> weights = random_vector(1, kSize);
  std::vector<double> expected(weights.begin(), weights.end());
  std::vector<double> m(kSize, 0.0);
  std::vector<double> v(kSize, 0.0);
  Optimizer optimizer(options, kSize);
  for (int t = 1; t <= 20; ++t) {
    const std::vector<float> gradient = random_vector(static_cast<std::uint64_t>(t) + 100, kSize);
    optimizer.step(weights, gradient);
    for (std::size_t i = 0; i < kSize; ++i) {
      const double g = static_cast<double>(gradient[i]) + 0.1 * expected[i];
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      const double m_hat = m[i] / (1.0 - std::pow(0.9, t));
      const double v_hat = v[i] / (1.0 - std::pow(0.999, t));
      expected[i] -= 0.01 * m_hat / (std::sqrt(v_hat) + 1e-8);
    }
  }
  for (std::size_t i = 0; i < kSize; ++i) EXPECT_NEAR(weights[i], expected[i], 2e-6);
}

TEST(Optimizer, sgd_with_momentum_keeps_a_velocity) {
  const OptimizerOptions options{.kind = OptimizerOptions::Kind::kSgd, .learning_rate = 0.5, .momentum = 0.9};
  Optimizer optimizer(options, 1);
  std::vector<float> w{1.0F};
  const std::vector<float> g{1.0F};
  optimizer.step(w, g);  // velocity 1
  EXPECT_FLOAT_EQ(w[0], 0.5F);
  optimizer.step(w, g);  // velocity 1.9
  EXPECT_FLOAT_EQ(w[0], -0.45F);
  EXPECT_EQ(optimizer.moments().size(), 1U);
}

TEST(Optimizer, plain_sgd_has_no_moments) {
  const OptimizerOptions options{.kind = OptimizerOptions::Kind::kSgd, .learning_rate = 0.1, .weight_decay = 1.0};
  Optimizer optimizer(options, 1);
  std::vector<float> w{2.0F};
  optimizer.step(w, std::vector<float>{1.0F});
  EXPECT_FLOAT_EQ(w[0], 1.7F);
  EXPECT_TRUE(optimizer.moments().empty());
}

TEST(Optimizer, reset_makes_it_new) {
  Optimizer used({}, 8);
  std::vector<float> scratch = random_vector(1, 8);
  used.step(scratch, random_vector(2, 8));
  used.reset();
  Optimizer fresh({}, 8);
  std::vector<float> a = random_vector(3, 8);
  std::vector<float> b = a;
  used.step(a, random_vector(4, 8));
  fresh.step(b, random_vector(4, 8));
  EXPECT_EQ(a, b);
}

TEST(Optimizer, training_a_transformed_network_is_transforming_a_trained_one) {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("in", {6, 3});
  layout->add("recurrent", {6, 6});
  layout->add("out", {2, 6});
  const SymmetrySpec symmetry(layout, {{.name = "units", .size = 6, .kind = GroupKind::kSigned}},
                              {{.tensor = 0, .axis = 0, .group = 0},
                               {.tensor = 1, .axis = 0, .group = 0},
                               {.tensor = 1, .axis = 1, .group = 0},
                               {.tensor = 2, .axis = 1, .group = 0}});
  RandomStream stream(5, Purpose::kTest);
  const GroupElement element = symmetry.random(stream);
  ASSERT_TRUE(std::ranges::any_of(element[0], is_negated));
  for (const double momentum : {0.0, 0.9}) {
    for (const auto kind : {OptimizerOptions::Kind::kAdam, OptimizerOptions::Kind::kSgd}) {
      const OptimizerOptions options{.kind = kind, .learning_rate = 0.1, .weight_decay = 0.01, .momentum = momentum};
      std::vector<float> plain = random_vector(1, layout->size());
      std::vector<float> moved = plain;
      Optimizer one(options, plain.size());
      Optimizer other(options, plain.size());
      for (std::uint64_t step = 0; step < 6; ++step) {
        if (step == 3) {  // the other goes over, with what it has learnt of the first three
          other.transform(symmetry, element);
          symmetry.apply(element, moved);
        }
        std::vector<float> gradient = random_vector(10 + step, plain.size());
        one.step(plain, gradient);
        if (step >= 3) symmetry.apply(element, gradient);
        other.step(moved, gradient);
      }
      symmetry.apply(element, plain);
      EXPECT_EQ(plain, moved);
    }
  }
}

TEST(RateSchedule, warms_up_and_comes_down_along_half_a_cosine) {
  const RateSchedule constant{};
  EXPECT_EQ(constant.factor(0, 10), 1.0);
  EXPECT_EQ(constant.factor(9, 10), 1.0);
  const RateSchedule cosine{.kind = RateSchedule::Kind::kCosine, .warmup_steps = 4};
  EXPECT_EQ(cosine.factor(0, 104), 0.25);
  EXPECT_EQ(cosine.factor(3, 104), 1.0);
  EXPECT_EQ(cosine.factor(4, 104), 1.0);
  EXPECT_NEAR(cosine.factor(54, 104), 0.5, 1e-12);
  EXPECT_LT(cosine.factor(103, 104), 1e-3);
  for (std::int64_t step = 4; step < 103; ++step) EXPECT_GT(cosine.factor(step, 104), cosine.factor(step + 1, 104));
  EXPECT_GE(cosine.factor(1000, 104), 0.0) << "nor does it come up again";
  const RateSchedule floored{.kind = RateSchedule::Kind::kCosine, .warmup_steps = 4, .floor = 0.02};
  EXPECT_EQ(floored.factor(4, 104), 1.0);
  EXPECT_NEAR(floored.factor(54, 104), 0.51, 1e-12);
  EXPECT_NEAR(floored.factor(104, 104), 0.02, 1e-12);
}

TEST(Optimizer, takes_a_factor_as_a_smaller_learning_rate) {
  for (const auto kind : {OptimizerOptions::Kind::kAdam, OptimizerOptions::Kind::kSgd}) {
    std::vector<float> scaled = random_vector(1, 9);
    std::vector<float> smaller = scaled;
    Optimizer one({.kind = kind, .learning_rate = 0.5}, 9);
    Optimizer other({.kind = kind, .learning_rate = 0.125}, 9);
    const std::vector<float> gradient = random_vector(2, 9);
    one.step(scaled, gradient, 0.25);
    other.step(smaller, gradient);
    EXPECT_EQ(scaled, smaller);
  }
}

}  // namespace
}  // namespace fleet
