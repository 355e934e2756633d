#include "torch/network.hpp"

#include <gtest/gtest.h>

#include "network_cases.hpp"
#include "torch/objective.hpp"

namespace fleet {
namespace {

using Input = NetworkShape::Input;

class EveryNetwork : public testing::TestWithParam<NetworkCase> {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    SettingsReader reader(GetParam().settings);
    network_ = make_network(reader, GetParam().shape);
  }
  /// First weights with normalisations that do something.
  ParamVector initial(std::uint64_t seed) const {
    ParamVector weights(network_->layout());
    RandomStream stream(seed, Purpose::kInitialization);
    network_->initialize(weights, stream);
    for (std::size_t i = 0; i < weights.layout().tensors().size(); ++i) {
      const std::string& name = weights.layout().tensors()[i].name;
      const bool norm = name.ends_with(".scale") || name.ends_with(".shift") || name.ends_with(".mean") ||
                        name.ends_with(".variance");
      if (!norm) continue;
      for (float& w : weights.tensor(i)) w += static_cast<float>(0.5 * stream.uniform());
    }
    return weights;
  }
  torch::Tensor random_inputs(int samples) const {
    const NetworkShape& shape = GetParam().shape;
    if (shape.input == Input::kText) return torch::randint(0, shape.inputs, {samples, shape.steps});
    if (shape.input == Input::kSequence) return torch::randn({samples, shape.steps, shape.inputs});
    if (shape.input == Input::kTrajectory) {
      const torch::Tensor seen = torch::randn({samples, shape.steps, shape.inputs});
      seen.select(2, shape.inputs - 1).copy_(torch::randint(0, shape.longest - 2, {samples, shape.steps}));
      return seen;
    }
    return torch::randn({samples, shape.inputs});
  }
  torch::Tensor random_targets(int samples) const {
    return torch::randint(0, GetParam().shape.outputs, {samples * std::max(1, GetParam().shape.steps)});
  }
  torch::Tensor outputs(const ParamVector& weights, const torch::Tensor& inputs) const {
    const torch::NoGradGuard no_grad;
    return network_->forward(Network::views(weights), inputs);
  }
  /// What enters map `map`, with the constant 1.
  torch::Tensor entering(const ParamVector& weights, std::size_t map, const torch::Tensor& inputs) const {
    const torch::NoGradGuard no_grad;
    Pass pass{.stop_before = map};
    EXPECT_FALSE(network_->forward(Network::views(weights), inputs, pass).defined());
    if (!network_->maps()[map].has_constant()) return pass.entering;
    return torch::cat({pass.entering, torch::ones({pass.entering.size(0), 1})}, 1);
  }
  double gradient_at(const ParamVector& weights, const torch::Tensor& inputs, const torch::Tensor& targets,
                     ParamVector& gradient) const {
    Pass pass;
    return backpropagate(*network_, *make_cross_entropy(), Network::views(weights), inputs, targets, pass,
                         Network::views(gradient))
        .item<double>();
  }
  std::shared_ptr<const Network> network_;
};

float difference(const torch::Tensor& a, const torch::Tensor& b) {
  return (a - b).abs().max().item<float>();
}

TEST_P(EveryNetwork, a_random_group_element_leaves_the_outputs_unchanged) {
  const torch::Tensor inputs = random_inputs(50);
  const ParamVector weights = initial(1);
  RandomStream stream(2, Purpose::kTest);
  for (int draw = 0; draw < 5; ++draw) {
    const ParamVector moved = network_->symmetry().apply(network_->symmetry().random(stream), weights);
    EXPECT_LT(difference(outputs(moved, inputs), outputs(weights, inputs)), 1e-5F);
    if (network_->symmetry().groups().empty()) continue;
    EXPECT_FALSE(std::equal(moved.flat().begin(), moved.flat().end(), weights.flat().begin()));
  }
}

TEST_P(EveryNetwork, the_gradient_is_that_of_the_loss) {
  const torch::Tensor inputs = random_inputs(20);
  const torch::Tensor targets = random_targets(20);
  const ParamVector weights = initial(3);
  ParamVector gradient(network_->layout());
  const double loss = gradient_at(weights, inputs, targets, gradient);
  double squared = 0.0;
  for (const float g : gradient.flat()) squared += static_cast<double>(g) * static_cast<double>(g);
  const auto loss_at = [&](double step) {  // along the gradient
    ParamVector moved = weights;
    for (std::size_t i = 0; i < moved.flat().size(); ++i) {
      moved.flat()[i] += static_cast<float>(step / std::sqrt(squared)) * gradient.flat()[i];
    }
    ParamVector ignored(network_->layout());
    return gradient_at(moved, inputs, targets, ignored);
  };
  EXPECT_NEAR(loss, torch::cross_entropy_loss(outputs(weights, inputs), targets).item<double>(), 1e-5);
  EXPECT_NEAR((loss_at(1e-3) - loss_at(-1e-3)) / 2e-3, std::sqrt(squared), 0.02 * std::sqrt(squared));
}

TEST_P(EveryNetwork, the_outputs_are_the_last_map_of_what_enters_it) {
  const torch::Tensor inputs = random_inputs(10);
  const ParamVector weights = initial(4);
  const std::size_t last = network_->maps().size() - 1;
  const RowMatrix head = network_->maps()[last].matrix(weights);
  const torch::Tensor matrix = torch::from_blob(const_cast<float*>(head.data()), {head.rows(), head.cols()});
  EXPECT_LT(difference(entering(weights, last, inputs).matmul(matrix.t()), outputs(weights, inputs)), 1e-5F);
}

/// dL/dW = sum of dL/dy x^T over what enters the map, so that its rows lie in the span of the x.
TEST_P(EveryNetwork, the_gradient_of_a_map_lies_in_the_span_of_what_enters_it) {
  const torch::Tensor inputs = random_inputs(1);
  const ParamVector weights = initial(5);
  ParamVector gradient(network_->layout());
  gradient_at(weights, inputs, random_targets(1), gradient);
  int told_apart = 0;
  for (std::size_t m = 0; m < network_->maps().size(); ++m) {
    AffineMap map = network_->maps()[m];
    const torch::Tensor x = entering(weights, m, inputs);
    EXPECT_EQ(x.size(1), map.inputs(weights.layout()));
    map.norm.reset();  // of whose tensors the gradient is another matter
    const RowMatrix slope = map.matrix(gradient);
    const torch::Tensor rows = torch::from_blob(const_cast<float*>(slope.data()), {slope.rows(), slope.cols()});
    const torch::Tensor span = x.narrow(1, 0, slope.cols()).to(torch::kFloat64);
    const torch::Tensor wanted = rows.to(torch::kFloat64);
    const auto [solution, residuals, rank, singular] =
        torch::linalg_lstsq(span.t(), wanted.t(), 1e-9, std::string("gelsd"));
    EXPECT_LT(difference(span.t().matmul(solution), wanted.t()), 1e-5 * (1.0 + wanted.abs().max().item<double>()))
        << map.name;
    told_apart += span.size(0) < span.size(1) ? 1 : 0;
  }
  EXPECT_GT(told_apart, 0);
}

TEST_P(EveryNetwork, first_weights_depend_on_the_stream_alone) {
  const ParamVector a = initial(5);
  const ParamVector b = initial(5);
  const ParamVector c = initial(6);
  EXPECT_TRUE(std::equal(a.flat().begin(), a.flat().end(), b.flat().begin()));
  EXPECT_FALSE(std::equal(a.flat().begin(), a.flat().end(), c.flat().begin()));
}

TEST_P(EveryNetwork, a_training_pass_changes_nothing_but_running_statistics) {
  ParamVector weights = initial(7);
  const ParamVector before = weights;
  ParamVector gradient(network_->layout());
  Pass pass{.training = true};
  (void)backpropagate(*network_, *make_cross_entropy(), Network::views(weights), random_inputs(8), random_targets(8),
                      pass, Network::views(gradient));
  for (std::size_t i = 0; i < weights.layout().tensors().size(); ++i) {
    const auto now = std::as_const(weights).tensor(i);
    EXPECT_EQ(std::equal(now.begin(), now.end(), before.tensor(i).begin()), !network_->is_statistic(i));
  }
}

using EverySequenceNetwork = EveryNetwork;

TEST_P(EverySequenceNetwork, outputs_depend_on_no_later_step) {
  const int steps = GetParam().shape.steps;
  const torch::Tensor inputs = random_inputs(3);
  torch::Tensor changed = inputs.clone();
  changed.select(1, 3).add_(1).remainder_(GetParam().shape.inputs);
  const ParamVector weights = initial(8);
  const torch::Tensor a = outputs(weights, inputs).view({3, steps, -1});
  const torch::Tensor b = outputs(weights, changed).view({3, steps, -1});
  EXPECT_LT(difference(a.narrow(1, 0, 3), b.narrow(1, 0, 3)), 1e-6F);
  EXPECT_GT(difference(a.select(1, 3), b.select(1, 3)), 1e-4F);
  EXPECT_GT(difference(a.select(1, 5), b.select(1, 5)), 1e-6F);
}

using EveryRecurrentNetwork = EveryNetwork;

TEST_P(EveryRecurrentNetwork, state_carried_over_makes_two_parts_of_a_sequence_one) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor inputs = random_inputs(3);
  const ParamVector weights = initial(9);
  const std::vector<torch::Tensor> parameters = Network::views(weights);
  std::vector<torch::Tensor> state;
  Pass pass{.state = &state};
  const torch::Tensor first = network_->forward(parameters, inputs.narrow(1, 0, 2), pass).view({3, 2, -1});
  const torch::Tensor second = network_->forward(parameters, inputs.narrow(1, 2, 4), pass).view({3, 4, -1});
  EXPECT_LT(difference(torch::cat({first, second}, 1).flatten(0, 1), outputs(weights, inputs)), 1e-6F);
}

INSTANTIATE_TEST_SUITE_P(Perceptrons, EveryNetwork, kPerceptrons, name_of);
INSTANTIATE_TEST_SUITE_P(Convolutional, EveryNetwork, kConvolutional, name_of);
INSTANTIATE_TEST_SUITE_P(Clouds, EveryNetwork, kClouds, name_of);
INSTANTIATE_TEST_SUITE_P(Recurrent, EveryNetwork, kRecurrent, name_of);
INSTANTIATE_TEST_SUITE_P(Transformers, EveryNetwork, kTransformers, name_of);
INSTANTIATE_TEST_SUITE_P(Recurrent, EverySequenceNetwork, kRecurrent, name_of);
INSTANTIATE_TEST_SUITE_P(Transformers, EverySequenceNetwork, kTransformers, name_of);
INSTANTIATE_TEST_SUITE_P(Recurrent, EveryRecurrentNetwork, kRecurrent, name_of);
INSTANTIATE_TEST_SUITE_P(RecurrentPolicies, EveryNetwork, kRecurrentPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(TransformerPolicies, EveryNetwork, kTransformerPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(RecurrentPolicies, EverySequenceNetwork, kRecurrentPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(TransformerPolicies, EverySequenceNetwork, kTransformerPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(DecisionTransformers, EveryNetwork, kDecisionTransformers, name_of);
INSTANTIATE_TEST_SUITE_P(DecisionTransformers, EverySequenceNetwork, kDecisionTransformers, name_of);
INSTANTIATE_TEST_SUITE_P(RecurrentPolicies, EveryRecurrentNetwork, kRecurrentPolicies, name_of);

/// Columns of other bodies see zeros, and their outputs are of no consequence: a step of one body is the same whatever
/// the others' maps are.
TEST(DecisionTransformer, a_body_does_not_know_the_others_maps) {
  const NetworkCase tested = decision_transformer();
  SettingsReader reader(tested.settings);
  const auto network = make_network(reader, tested.shape);
  ParamVector weights(network->layout());
  RandomStream stream(1, Purpose::kTest);
  network->initialize(weights, stream);
  torch::Tensor inputs = torch::zeros({2, 6, tested.shape.inputs});  // of the first body: see describe_step()
  for (const std::int64_t column : {0, 4, 5, 6, 11, 12}) inputs.select(2, column).copy_(torch::randn({2, 6}));
  for (const std::int64_t column : {2, 9}) inputs.select(2, column).fill_(1.0F);
  const torch::NoGradGuard no_grad;
  const torch::Tensor before = network->forward(Network::views(weights), inputs).narrow(1, 0, 2).clone();
  const ParamLayout& layout = *network->layout();
  const auto change = [&](const char* name, std::initializer_list<std::int64_t> columns) {
    const std::size_t tensor = layout.index_of(name);
    const torch::Tensor view = Network::views(weights)[tensor];
    for (const std::int64_t column : columns) view.select(1, column).add_(torch::randn({view.size(0)}));
  };
  change("embedding.returns", {1, 3});
  change("embedding.states", {1, 5, 6});
  change("embedding.actions", {1, 4});
  Network::views(weights)[layout.index_of("head.weight")].select(0, 2).add_(3.0F);
  EXPECT_EQ(difference(network->forward(Network::views(weights), inputs).narrow(1, 0, 2), before), 0.0F);
  change("embedding.states", {2});
  EXPECT_GT(difference(network->forward(Network::views(weights), inputs).narrow(1, 0, 2), before), 1e-3F);
}

TEST(MaskedSquaredError, is_the_squared_error_of_what_is_there) {
  const torch::Tensor outputs = torch::tensor({{1.0F, 2.0F, 5.0F}, {0.0F, -1.0F, 2.0F}});
  const float nothing = std::numeric_limits<float>::quiet_NaN();
  const torch::Tensor targets = torch::tensor({{0.0F, 0.0F, nothing}, {nothing, nothing, 5.0F}});
  const auto objective = make_masked_squared_error();
  EXPECT_NEAR(objective->loss(outputs, targets).item<double>(), (1.0 + 4.0 + 9.0) / 3.0, 1e-6);
  const Score score = objective->scores(outputs, targets).front();
  EXPECT_NEAR(score.sum, (1.0 + 4.0) / 2.0 + 9.0, 1e-6);  // of each row the mean over its own
  EXPECT_EQ(score.samples, 2.0);
  const torch::Tensor all = torch::randn({2, 3});
  EXPECT_NEAR(objective->loss(outputs, all).item<double>(), make_squared_error()->loss(outputs, all).item<double>(),
              1e-6);
}

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

TEST(Models, a_model_that_does_not_take_the_data_is_refused_with_those_that_do) {
  const Settings settings{{"model.kind", Setting{Value(std::string("mlp")), {"a.toml", 1, 1}}}};
  SettingsReader reader(settings);
  try {
    (void)make_network(reader, kText);
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("lstm, gru, rnn, transformer"), std::string::npos) << error.what();
  }
}

TEST(BatchNorm, a_fitted_map_keeps_its_outputs_in_training_and_out_of_it) {
  const Settings settings{{"model.hidden", widths({6})}, {"model.norm", text("batch")}};
  SettingsReader reader(settings);
  const auto network = make_network(reader, {.inputs = 5, .outputs = 3});
  const AffineMap& map = network->maps().front();
  ParamVector weights(network->layout());
  RandomStream stream(1, Purpose::kTest);
  network->initialize(weights, stream);
  const RowMatrix wanted = RowMatrix::Random(6, 6);  // the last column is the constant's
  RowMatrix x = RowMatrix::Random(200, 6);
  x.col(5).setOnes();
  const RowMatrix y = x * wanted.transpose();
  const Eigen::VectorXf mean = y.colwise().mean();
  const OutputStatistics statistics{mean,
                                    (y.rowwise() - mean.transpose()).cwiseAbs2().colwise().mean().transpose().eval()};
  map.assign(wanted, weights, &statistics);
  EXPECT_TRUE(map.matrix(weights).isApprox(wanted, 1e-5F));
  EXPECT_THROW(map.assign(wanted, weights), Error);

  const torch::NoGradGuard no_grad;
  const RowMatrix features = x.leftCols(5);
  const torch::Tensor inputs = torch::from_blob(const_cast<float*>(features.data()), {200, 5}).clone();
  const torch::Tensor outside = network->forward(Network::views(weights), inputs);
  Pass training{.training = true};
  const torch::Tensor inside = network->forward(Network::views(weights), inputs, training);
  EXPECT_LT(difference(outside, inside), 1e-4F);
}

}  // namespace
}  // namespace fleet
