#include "torch/network.hpp"

#include <gtest/gtest.h>

#include "torch/models.hpp"

namespace fleet {
namespace {

struct NetworkCase {
  std::string name;
  Settings settings;
};

NetworkCase mlp(const std::string& name, std::vector<int> hidden, const std::string& activation) {
  Value::List widths;
  for (const int width : hidden) widths.emplace_back(std::int64_t{width});
  return {name, {{"model.hidden", Setting{Value(widths), {}}}, {"model.activation", Setting{Value(activation), {}}}}};
}

class EveryNetwork : public testing::TestWithParam<NetworkCase> {
 protected:
  void SetUp() override {
    SettingsReader reader(GetParam().settings);
    network_ = make_network(reader, {.inputs = 12, .outputs = 4});
  }
  ParamVector initial(std::uint64_t seed) const {
    ParamVector weights(network_->layout());
    RandomStream stream(seed, Purpose::kInitialization);
    network_->initialize(weights, stream);
    return weights;
  }
  torch::Tensor outputs(const ParamVector& weights, const torch::Tensor& inputs) const {
    const torch::NoGradGuard no_grad;
    return network_->forward(Network::views(weights), inputs);
  }
  std::shared_ptr<const Network> network_;
};

TEST_P(EveryNetwork, a_random_group_element_leaves_the_outputs_unchanged) {
  const torch::Tensor inputs = torch::randn({50, 12});
  const ParamVector weights = initial(1);
  RandomStream stream(2, Purpose::kTest);
  for (int draw = 0; draw < 5; ++draw) {
    const ParamVector moved = network_->symmetry().apply(network_->symmetry().random(stream), weights);
    EXPECT_LT((outputs(moved, inputs) - outputs(weights, inputs)).abs().max().item<float>(), 1e-5F);
  }
}

TEST_P(EveryNetwork, the_gradient_is_that_of_the_loss) {
  const torch::Tensor inputs = torch::randn({20, 12});
  const torch::Tensor labels = torch::randint(0, 4, {20});
  ParamVector weights = initial(3);
  ParamVector gradient(network_->layout());
  const double loss = cross_entropy_gradient(*network_, weights, inputs, labels, gradient);
  const auto loss_at = [&](double step) {  // along the gradient
    ParamVector moved = weights;
    for (std::size_t i = 0; i < moved.flat().size(); ++i)
      moved.flat()[i] += static_cast<float>(step) * gradient.flat()[i];
    ParamVector ignored(network_->layout());
    return cross_entropy_gradient(*network_, moved, inputs, labels, ignored);
  };
  double squared = 0.0;
  for (const float g : gradient.flat()) squared += static_cast<double>(g) * static_cast<double>(g);
  EXPECT_NEAR(loss, torch::nn::functional::cross_entropy(outputs(weights, inputs), labels).item<double>(), 1e-5);
  EXPECT_NEAR((loss_at(0.02) - loss_at(-0.02)) / 0.04, squared, 0.02 * squared);
}

TEST_P(EveryNetwork, first_weights_depend_on_the_stream_alone) {
  const ParamVector a = initial(5);
  const ParamVector b = initial(5);
  const ParamVector c = initial(6);
  EXPECT_TRUE(std::equal(a.flat().begin(), a.flat().end(), b.flat().begin()));
  EXPECT_FALSE(std::equal(a.flat().begin(), a.flat().end(), c.flat().begin()));
}

INSTANTIATE_TEST_SUITE_P(Models, EveryNetwork,
                         testing::Values(mlp("linear", {}, "relu"), mlp("one_layer", {8}, "relu"),
                                         mlp("deep", {9, 7, 5, 3}, "relu"), mlp("tanh", {16, 16}, "tanh")),
                         [](const auto& tested) { return tested.param.name; });

TEST(Models, an_unknown_model_is_named_with_those_there_are) {
  const Settings settings{{"model.kind", Setting{Value(std::string("mlpp")), {"a.toml", 1, 1}}}};
  SettingsReader reader(settings);
  try {
    (void)make_network(reader, {.inputs = 2, .outputs = 2});
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean \"mlp\"?"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace fleet
