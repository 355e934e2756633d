#include "merge/shared_part.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace fleet {
namespace {

using Names = std::vector<std::string>;

/// A perceptron of two hidden layers: 3 inputs, 4 and 5 units, 2 outputs.
struct Perceptron {
  Perceptron() {
    layout->add("layers.0.weight", {4, 3});
    layout->add("layers.0.bias", {4});
    layout->add("layers.1.weight", {5, 4});
    layout->add("layers.1.bias", {5});
    layout->add("layers.2.weight", {2, 5});
    layout->add("layers.2.bias", {2});
    for (std::size_t layer = 0; layer < 3; ++layer) {
      maps.push_back({.name = "layers." + std::to_string(layer), .weights = {2 * layer}, .bias = 2 * layer + 1});
    }
  }
  [[nodiscard]] SymmetrySpec symmetry() const {
    return {layout,
            {{.name = "first", .size = 4}, {.name = "second", .size = 5}},
            {{.tensor = 0, .axis = 0, .group = 0},
             {.tensor = 1, .axis = 0, .group = 0},
             {.tensor = 2, .axis = 1, .group = 0},
             {.tensor = 2, .axis = 0, .group = 1},
             {.tensor = 3, .axis = 0, .group = 1},
             {.tensor = 4, .axis = 1, .group = 1}}};
  }
  [[nodiscard]] ParamVector weights(std::uint64_t seed) const {
    ParamVector values(layout);
    RandomStream stream(seed, Purpose::kTest);
    for (float& value : values.flat()) value = static_cast<float>(stream.normal());
    return values;
  }
  std::shared_ptr<ParamLayout> layout = std::make_shared<ParamLayout>();
  std::vector<AffineMap> maps;
};

bool same(const ParamVector& a, const ParamVector& b) {
  return std::ranges::equal(a.flat(), b.flat());
}

TEST(Parameters, a_pattern_names_tensors_part_by_part) {
  EXPECT_TRUE(names_tensor("blocks.*.in", "blocks.0.in.weight"));
  EXPECT_TRUE(names_tensor("blocks", "blocks.0.in.weight"));
  EXPECT_TRUE(names_tensor("head.weight", "head.weight"));
  EXPECT_FALSE(names_tensor("blocks.*.in", "blocks.0.attention.in.weight"));
  EXPECT_FALSE(names_tensor("block", "blocks.0.in.weight"));
  EXPECT_FALSE(names_tensor("head.weight.more", "head.weight"));
}

TEST(Parameters, what_is_left_out_is_not_meant_and_alone_means_all_else) {
  const Names rest{"!layers.2"};
  EXPECT_TRUE(means_tensor(rest, "layers.0.weight"));
  EXPECT_FALSE(means_tensor(rest, "layers.2.bias"));
  const Names some{"layers", "!layers.1.bias"};
  EXPECT_TRUE(means_tensor(some, "layers.1.weight"));
  EXPECT_FALSE(means_tensor(some, "layers.1.bias"));
  EXPECT_FALSE(means_tensor(some, "norm.scale"));
  const Names rest_of_all = parameter_patterns(Names{"all", "!layers.2"});
  EXPECT_TRUE(means_tensor(rest_of_all, "layers.0.weight"));
  EXPECT_FALSE(means_tensor(rest_of_all, "layers.2.bias"));
  const Names sets{"attention", "!mlp"};
  const Names patterns = parameter_patterns(sets);
  EXPECT_TRUE(means_tensor(patterns, "blocks.3.attention.value.bias"));
  EXPECT_FALSE(means_tensor(patterns, "blocks.3.attention.norm.scale"));
  EXPECT_FALSE(means_tensor(patterns, "blocks.3.in.weight"));
}

TEST(Parameters, names_of_nothing_are_answered_with_the_nearest) {
  const Perceptron network;
  EXPECT_EQ(complaint_about_parameters(Names{"layers.1", "!layers.2"}, *network.layout), "");
  EXPECT_NE(complaint_about_parameters(Names{"layer.1"}, *network.layout).find("did you mean \"layers.1\"?"),
            std::string::npos);
  EXPECT_NE(complaint_about_parameters(Names{"!attention"}, *network.layout).find("layers.0.weight"),
            std::string::npos);
  EXPECT_NE(complaint_about_parameters(Names{"!layers"}, *network.layout).find("no tensor of the network to merge"),
            std::string::npos);
}

TEST(SharedPart, taking_a_part_and_putting_it_back_are_inverse) {
  const Perceptron network;
  const SymmetrySpec symmetry = network.symmetry();
  const SharedPart part(symmetry, network.maps, Names{"layers.1"});
  const ParamVector one = network.weights(1);
  const ParamVector two = network.weights(2);
  EXPECT_EQ(part.symmetry().layout()->size(), 25U);
  ParamVector mixed = two;
  part.put(part.part_of(one), mixed);
  for (std::size_t t = 0; t < 6; ++t) {
    EXPECT_EQ(part.is_shared(t), t == 2 || t == 3);
    EXPECT_TRUE(std::ranges::equal(std::as_const(mixed).tensor(t), (part.is_shared(t) ? one : two).tensor(t)));
  }
  EXPECT_TRUE(same(part.part_of(mixed), part.part_of(one)));
}

TEST(SharedPart, has_the_maps_and_the_head_that_are_wholly_shared) {
  const Perceptron network;
  const SymmetrySpec symmetry = network.symmetry();
  const SharedPart body(symmetry, network.maps, Names{"!layers.2", "!layers.0.bias"});
  ASSERT_EQ(body.maps().size(), 1U);
  EXPECT_EQ(body.whole_map(0), 1U);
  EXPECT_FALSE(body.has_head());
  EXPECT_TRUE(SharedPart(symmetry, network.maps, Names{"layers.2"}).has_head());
}

/// The law by which a robot's own part follows: what an element makes of the shared part, with the rest brought along,
/// is what it makes of the whole network.
TEST(SharedPart, an_element_of_the_part_brings_the_rest_along) {
  const Perceptron network;
  const SymmetrySpec symmetry = network.symmetry();
  const ParamVector own = network.weights(3);
  RandomStream stream(4, Purpose::kTest);
  for (const Names& patterns : {Names{"layers.1"}, Names{"!layers.2"}, Names{"layers.0.weight", "layers.2"}}) {
    const SharedPart part(symmetry, network.maps, patterns);
    const GroupElement element = part.symmetry().random(stream);
    const ParamVector moved = part.symmetry().apply(element, part.part_of(own));
    const MergeOutcome outcome = part.whole_outcome({.merged = moved, .elements = {element}});
    EXPECT_TRUE(same(part.personal(outcome, 0, own), symmetry.apply(part.whole_element(element), own)));
  }
}

TEST(SharedPart, units_that_others_know_may_be_held_where_they_are) {
  const Perceptron network;
  const SymmetrySpec symmetry = network.symmetry();
  const SharedPart part(symmetry, network.maps, Names{"layers.0", "layers.1"}, true);
  ASSERT_EQ(part.symmetry().groups().size(),
            1U);  // the second layer's units are known to the head, which is not shared
  EXPECT_EQ(part.symmetry().groups().front().name, "first");
  EXPECT_EQ(SharedPart(symmetry, network.maps, Names{"layers.1"}, true).symmetry().groups().size(), 0U);
}

/// A robot that tells at which weights it was asked.
class Asked final : public LocalData {
 public:
  double loss_gradient(const ParamVector& at, int /*batch*/, RandomStream& /*stream*/, ParamVector& gradient) override {
    at_ = at;
    gradient = at;
    return 1.0;
  }
  Score held_out_score(const ParamVector& at) override {
    at_ = at;
    return {};
  }
  std::optional<ParamVector> at_;
};

TEST(SharedFleet, robots_answer_behind_their_own_rest_in_the_basis_they_are_in) {
  const Perceptron network;
  const SymmetrySpec symmetry = network.symmetry();
  const SharedPart part(symmetry, network.maps, Names{"layers.1"});
  const ParamVector own = network.weights(5);
  const ParamVector previous = network.weights(6);
  Asked robot;
  MergeInput whole{.symmetry = &symmetry, .maps = network.maps, .participants = {0}, .previous = &previous};
  whole.rows.push_back({.robot = 0, .weights = &own, .samples = 1, .participates = true, .data = &robot});
  const SharedFleet fleet(part, whole);
  const MergeRow& row = fleet.input().rows.front();
  EXPECT_TRUE(same(*row.weights, part.part_of(own)));
  EXPECT_TRUE(same(*fleet.input().previous, part.part_of(previous)));
  EXPECT_FALSE(fleet.input().has_head);

  (void)row.data->held_out_score(*row.weights);
  EXPECT_TRUE(same(*robot.at_, own));
  RandomStream stream(7, Purpose::kTest);
  const GroupElement element = part.symmetry().random(stream);
  row.data->enter_basis(&element);
  ParamVector gradient(part.symmetry().layout());
  (void)row.data->loss_gradient(part.symmetry().apply(element, *row.weights), 1, stream, gradient);
  const ParamVector moved = symmetry.apply(part.whole_element(element), own);
  EXPECT_TRUE(same(*robot.at_, moved));
  EXPECT_TRUE(same(gradient, part.part_of(moved)));
  row.data->enter_basis(nullptr);
  (void)row.data->held_out_score(*row.weights);
  EXPECT_TRUE(same(*robot.at_, own));
}

}  // namespace
}  // namespace fleet
