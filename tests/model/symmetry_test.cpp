#include "model/symmetry.hpp"

#include <gtest/gtest.h>

#include <limits>

#include "base/error.hpp"
#include "values.hpp"

namespace fleet {
namespace {

/// A spec that uses everything: a feed-forward group, a recurrent weight acted on twice by one group, gates stacked
/// (outer = 3), units that may be negated, a flattened convolution (inner = 2), two attention heads of three
/// dimensions, and a tensor that nothing acts on.
SymmetrySpec rich_spec() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("in.weight", {5, 3});
  layout->add("in.bias", {5});
  layout->add("recurrent", {5, 5});
  layout->add("gates", {3 * 5, 4});
  layout->add("flat", {6, 5 * 2});
  layout->add("kernel", {6, 5, 2, 2});
  layout->add("free", {4});
  layout->add("query", {2 * 3, 5});
  layout->add("query.bias", {2 * 3});
  layout->add("attention.out", {4, 2 * 3});
  return {layout,
          {{.name = "hidden", .size = 5, .kind = GroupKind::kSigned},
           {"out", 6},
           {.name = "head.0", .size = 3, .parent = 4, .block = 0},
           {.name = "head.1", .size = 3, .parent = 4, .block = 1},
           {"heads", 2}},
          {{.tensor = 0, .axis = 0, .group = 0},
           {.tensor = 1, .axis = 0, .group = 0},
           {.tensor = 2, .axis = 0, .group = 0},
           {.tensor = 2, .axis = 1, .group = 0},
           {.tensor = 3, .axis = 0, .group = 0, .outer = 3},
           {.tensor = 4, .axis = 1, .group = 0, .inner = 2},
           {.tensor = 4, .axis = 0, .group = 1},
           {.tensor = 5, .axis = 0, .group = 1},
           {.tensor = 5, .axis = 1, .group = 0},
           {.tensor = 7, .axis = 1, .group = 0},
           {.tensor = 7, .axis = 0, .group = 2},
           {.tensor = 7, .axis = 0, .group = 3, .offset = 3},
           {.tensor = 7, .axis = 0, .group = 4, .inner = 3},
           {.tensor = 8, .axis = 0, .group = 2},
           {.tensor = 8, .axis = 0, .group = 3, .offset = 3},
           {.tensor = 8, .axis = 0, .group = 4, .inner = 3},
           {.tensor = 9, .axis = 1, .group = 2},
           {.tensor = 9, .axis = 1, .group = 3, .offset = 3},
           {.tensor = 9, .axis = 1, .group = 4, .inner = 3}}};
}

ParamVector random_weights(const SymmetrySpec& spec, std::uint64_t name) {
  RandomStream stream(name, Purpose::kTest);
  ParamVector weights(spec.layout());
  for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
  return weights;
}

class SymmetryTest : public testing::Test {
 protected:
  SymmetrySpec spec_ = rich_spec();
  RandomStream stream_{11, Purpose::kTest};
};

TEST_F(SymmetryTest, apply_then_inverse_is_the_identity) {
  const ParamVector weights = random_weights(spec_, 1);
  EXPECT_EQ(values(spec_.apply(spec_.identity(), weights)), values(weights));
  for (int draw = 0; draw < 10; ++draw) {
    const GroupElement element = spec_.random(stream_);
    const ParamVector moved = spec_.apply(element, weights);
    EXPECT_NE(values(moved), values(weights));
    EXPECT_EQ(values(spec_.apply(spec_.inverse(element), moved)), values(weights));
  }
}

TEST_F(SymmetryTest, compose_acts_as_one_after_the_other) {
  const ParamVector weights = random_weights(spec_, 2);
  for (int draw = 0; draw < 10; ++draw) {
    const GroupElement first = spec_.random(stream_);
    const GroupElement second = spec_.random(stream_);
    EXPECT_EQ(values(spec_.apply(spec_.compose(second, first), weights)),
              values(spec_.apply(second, spec_.apply(first, weights))));
    EXPECT_EQ(spec_.compose(first, spec_.inverse(first)), spec_.identity());
    EXPECT_EQ(spec_.compose(spec_.inverse(first), first), spec_.identity());
  }
}

TEST_F(SymmetryTest, what_is_within_a_block_moves_with_it) {
  GroupElement element = spec_.identity();
  element[2] = {1, 2, 0};  // within head 0
  element[4] = {1, 0};     // which becomes the second
  ParamVector weights(spec_.layout());
  for (std::size_t i = 0; i < 6; ++i) weights.tensor(8)[i] = static_cast<float>(i);
  const std::span<const float> bias = std::as_const(weights).tensor(8);
  spec_.apply(element, weights.flat());
  EXPECT_EQ(std::vector<float>(bias.begin(), bias.end()), (std::vector<float>{3, 4, 5, 1, 2, 0}));
}

TEST_F(SymmetryTest, the_relaxed_action_of_a_permutation_is_the_hard_one) {
  const ParamVector weights = random_weights(spec_, 3);
  const GroupElement element = spec_.random(stream_);
  const RelaxedElement relaxed = to_matrices(element);
  RelaxedAction action(spec_, weights);
  EXPECT_EQ(values(action.apply(relaxed)), values(spec_.apply(element, weights)));
}

TEST_F(SymmetryTest, negations_then_permutations_are_the_whole) {
  const ParamVector weights = random_weights(spec_, 7);
  int negated = 0;
  for (int draw = 0; draw < 10; ++draw) {
    const GroupElement element = spec_.random(stream_);
    const SignedParts parts = parts_of(element);
    EXPECT_EQ(spec_.compose(parts.permutations, parts.negations), element);
    EXPECT_EQ(values(spec_.apply(parts.permutations, spec_.apply(parts.negations, weights))),
              values(spec_.apply(element, weights)));
    ParamVector squares = weights;
    for (float& w : squares.flat()) w *= w;
    ParamVector moved = spec_.apply(element, weights);
    for (float& w : moved.flat()) w *= w;
    EXPECT_EQ(values(spec_.apply(parts.permutations, squares)), values(moved));
    for (std::size_t g = 0; g < element.size(); ++g) {
      const auto count = std::ranges::count_if(element[g], is_negated);
      EXPECT_TRUE(count == 0 || spec_.groups()[g].kind == GroupKind::kSigned);
      negated += static_cast<int>(count);
    }
  }
  EXPECT_GT(negated, 10);
  EXPECT_LT(negated, 40);  // of 50
}

TEST_F(SymmetryTest, a_recurrent_weight_transforms_as_p_w_p_transposed) {
  const ParamVector weights = random_weights(spec_, 4);
  const GroupElement element = spec_.random(stream_);
  const RowMatrix p = to_matrices(element)[0];
  const RowMatrix w = ConstMatrixView(weights.tensor(2).data(), 5, 5);
  const ParamVector moved = spec_.apply(element, weights);
  EXPECT_TRUE(ConstMatrixView(moved.tensor(2).data(), 5, 5).isApprox(p * w * p.transpose()));
}

TEST_F(SymmetryTest, the_adjoint_agrees_with_finite_differences) {
  const ParamVector weights = random_weights(spec_, 5);
  const ParamVector slope = random_weights(spec_, 6);  // L(theta) = <slope, theta>
  RelaxedElement at = to_matrices(spec_.random(stream_));
  for (RowMatrix& p : at) {
    for (Eigen::Index i = 0; i < p.size(); ++i) p.data()[i] += 0.3F * static_cast<float>(stream_.uniform());
  }
  RelaxedAction action(spec_, weights);
  const auto loss = [&] {
    const ParamVector& moved = action.apply(at);
    double sum = 0.0;
    for (std::size_t i = 0; i < moved.flat().size(); ++i) {
      sum += static_cast<double>(slope.flat()[i]) * static_cast<double>(moved.flat()[i]);
    }
    return sum;
  };
  RelaxedElement gradient;
  for (const RowMatrix& p : at) gradient.push_back(RowMatrix::Zero(p.rows(), p.cols()));
  action.apply(at);
  action.adjoint(slope, gradient);
  for (std::size_t g = 0; g < at.size(); ++g) {
    for (Eigen::Index i = 0; i < at[g].size(); ++i) {
      float& entry = at[g].data()[i];
      const float kept = entry;
      entry = kept + 0.05F;
      const double above = loss();
      entry = kept - 0.05F;
      const double below = loss();
      entry = kept;
      // L is at most quadratic in each entry, so central differences are exact up to rounding.
      EXPECT_NEAR((above - below) / 0.1, gradient[g].data()[i], 2e-3 * (1.0 + std::abs(gradient[g].data()[i])));
    }
  }
}

TEST(SymmetrySpec, extents_that_do_not_match_are_refused) {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("w", {6, 4});
  const std::vector<SymmetryGroup> groups{{"hidden", 5}};
  EXPECT_NO_THROW(SymmetrySpec(layout, groups, {{.tensor = 0, .axis = 0, .group = 0, .offset = 1}}));
  EXPECT_THROW(SymmetrySpec(layout, groups, {{.tensor = 0, .axis = 0, .group = 0, .offset = 2}}), Error);
  EXPECT_THROW(SymmetrySpec(layout, groups, {{.tensor = 0, .axis = 1, .group = 0}}), Error);
  EXPECT_THROW(SymmetrySpec(layout, groups, {{.tensor = 1, .axis = 0, .group = 0}}), Error);
  EXPECT_THROW(SymmetrySpec(layout, groups, {{.tensor = 0, .axis = 2, .group = 0}}), Error);
  EXPECT_THROW(SymmetrySpec(layout, groups, {{.tensor = 0, .axis = 0, .group = 1}}), Error);
}

TEST(SymmetrySpec, a_group_within_a_block_must_name_one_that_is_there) {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("w", {6});
  const std::vector<SymmetryAction> actions{{.tensor = 0, .axis = 0, .group = 0}};
  const auto heads = [&](std::size_t parent, int block) {
    const SymmetryGroup first{.name = "head.0", .size = 3, .parent = 2, .block = 0};
    return SymmetrySpec(layout, {first, {.name = "head.1", .size = 3, .parent = parent, .block = block}, {"heads", 2}},
                        actions);
  };
  EXPECT_NO_THROW(heads(2, 1));
  EXPECT_THROW(heads(2, 2), Error);
  EXPECT_THROW(heads(2, -1), Error);
  EXPECT_THROW(heads(1, 1), Error);
  EXPECT_THROW(heads(0, 1), Error);
}

TEST(SymmetrySpec, blocks_that_are_exchanged_have_the_same_groups_within_them) {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("w", {6});
  const auto made = [&](std::vector<SymmetryGroup> groups) { return SymmetrySpec(layout, std::move(groups), {}); };
  const SymmetryGroup first{.name = "head.0", .size = 3, .parent = 2, .block = 0};
  EXPECT_THROW(made({{.name = "head.0", .size = 3, .parent = 1, .block = 0}, {"heads", 2}}), Error);
  EXPECT_THROW(made({first, {.name = "twin", .size = 3, .parent = 2, .block = 0}, {"heads", 2}}), Error);
  EXPECT_THROW(made({first, {.name = "head.1", .size = 2, .parent = 2, .block = 1}, {"heads", 2}}), Error);
  const SymmetryGroup second{.name = "head.1", .size = 3, .parent = 2, .block = 1};
  EXPECT_THROW(made({first, second, {.name = "heads", .size = 2, .kind = GroupKind::kSigned}}), Error);
  EXPECT_NO_THROW(made({first, second, {"heads", 2}}));
}

TEST(SymmetrySpec, numbers_that_reach_out_of_a_tensor_are_refused_however_large) {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("w", {6, 2});
  constexpr int kLargest = std::numeric_limits<int>::max();
  const auto acting = [&](int size, SymmetryAction action) {
    return SymmetrySpec(layout, {{"units", size}}, {action});
  };
  EXPECT_NO_THROW(acting(3, {.outer = 2}));
  EXPECT_THROW(acting(3, {.outer = 0}), Error);
  EXPECT_THROW(acting(3, {.inner = 0}), Error);
  EXPECT_THROW(acting(-3, {.outer = -2}), Error);
  EXPECT_THROW(acting(9, {.offset = -3}), Error);
  EXPECT_THROW(acting(0, {.offset = 6}), Error);
  EXPECT_THROW(acting(12, {.outer = kLargest, .inner = kLargest, .offset = kLargest}), Error);
  EXPECT_THROW(SymmetrySpec(layout, {{"units", kLargest}}, {}), Error) << "more units than weights";
}

TEST(ParamLayout, names_shapes_and_order_decide_the_hash) {
  ParamLayout a, b, c;
  a.add("w", {2, 3});
  a.add("b", {2});
  b.add("w", {2, 3});
  b.add("b", {2});
  c.add("w", {3, 2});
  c.add("b", {2});
  EXPECT_EQ(a.hash(), b.hash());
  EXPECT_NE(a.hash(), c.hash());
  EXPECT_EQ(a.size(), 8U);
  EXPECT_EQ(a.index_of("b"), 1U);
  EXPECT_THROW(a.add("w", {1}), Error);
  EXPECT_THROW((void)a.index_of("x"), Error);
  EXPECT_THROW(c.add("z", {0}), Error);
}

}  // namespace
}  // namespace fleet
