// Laws of computing elsewhere than in the host's memory, on the processor with every copy that a GPU needs: weights,
// data and state go there and back as they do for one, and nothing else changes.
#include "torch/place.hpp"
#include "awake.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "network_cases.hpp"
#include "torch/supervised.hpp"
#include "torch/trainer.hpp"

namespace fleet {
namespace {

constexpr int kSamples = 84;

class EveryNetworkElsewhere : public testing::TestWithParam<NetworkCase> {
 protected:
  EveryNetworkElsewhere() {
    RandomStream stream(5, Purpose::kTest);
    const NetworkShape& shape = GetParam().shape;
    symbols_.resize(static_cast<std::size_t>(kSamples * shape.steps + 1));
    for (std::uint8_t& symbol : symbols_) symbol = static_cast<std::uint8_t>(stream.below(7));
    pixels_.resize(static_cast<std::size_t>(kSamples * shape.inputs));
    for (std::uint8_t& pixel : pixels_) pixel = static_cast<std::uint8_t>(stream.below(256));
    labels_.resize(kSamples);
    for (std::uint8_t& label : labels_) label = static_cast<std::uint8_t>(stream.below(4));
    actions_.resize(static_cast<std::size_t>(kSamples + shape.steps) * 4);
    for (float& action : actions_) action = static_cast<float>(stream.normal());
  }

  std::unique_ptr<Workload> workload(DeviceKind device, OptimizerOptions optimizer = kMomentum) {
    const NetworkShape& shape = GetParam().shape;
    SettingsReader reader(GetParam().settings);
    std::vector<Shard> shards(1);
    for (std::int32_t i = 0; i < kSamples; ++i) (i < 70 ? shards[0].train : shards[0].held_out).push_back(i);
    const bool squared = shape.input == NetworkShape::Input::kSequence;
    return make_supervised_workload({.train = samples(),
                                     .test = samples(),
                                     .groups = {.name = "", .samples = {shards[0].train, shards[0].held_out}},
                                     .objective = squared ? ObjectiveKind::kSquaredError : ObjectiveKind::kCrossEntropy,
                                     .shards = shards,
                                     .network = make_network(reader, shape),
                                     .options = {.batch_size = 16,
                                                 .optimizer = optimizer,
                                                 .clip_norm = 0.5,
                                                 .carry_state = shape.input == NetworkShape::Input::kText,
                                                 .device = device}});
  }

  std::shared_ptr<Samples> samples() const {
    const NetworkShape& shape = GetParam().shape;
    if (shape.input == NetworkShape::Input::kText) {
      TextWindows text{.symbols = symbols_, .starts = {}, .window = shape.steps};
      for (int i = 0; i < kSamples; ++i) text.starts.push_back(std::int64_t{i} * shape.steps);
      return make_samples(std::move(text));
    }
    if (shape.input == NetworkShape::Input::kSequence) {
      return make_samples(Demonstrations{.actions = actions_,
                                         .features = shape.inputs,
                                         .dimensions = 4,
                                         .window = shape.steps,
                                         .observe = [](std::int32_t row, std::span<float> into) {
                                           for (float& value : into) value = std::sin(static_cast<float>(row++));
                                         }});
    }
    return make_samples(LabelledBytes{
        .values = pixels_, .labels = labels_, .features = shape.inputs, .mean = {0.5F}, .deviation = {0.3F}});
  }

  static constexpr OptimizerOptions kMomentum{
      .kind = OptimizerOptions::Kind::kSgd, .learning_rate = 0.05, .weight_decay = 1e-3, .momentum = 0.9};

  std::vector<std::uint8_t> symbols_;
  std::vector<std::uint8_t> pixels_;
  std::vector<std::uint8_t> labels_;
  std::vector<float> actions_;
};

/// The largest difference.
double apart(std::span<const float> a, std::span<const float> b) {
  double most = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(static_cast<double>(a[i]) - b[i]));
  return most;
}

TEST_P(EveryNetworkElsewhere, all_that_is_asked_of_a_robot_is_answered_with_the_same_bits) {
  const auto here = workload(DeviceKind::kCpu);
  const auto there = workload(DeviceKind::kStagedCpu);
  const auto a = awake(*here, 0);
  const auto b = awake(*there, 0);
  a->train(7, never);
  const ParamVector& at = a->weights();

  ParamVector slope_here(here->symmetry().layout());
  ParamVector slope_there(here->symmetry().layout());
  RandomStream draw_here(1, Purpose::kTest);
  RandomStream draw_there(1, Purpose::kTest);
  EXPECT_EQ(a->loss_gradient(at, 20, draw_here, slope_here), b->loss_gradient(at, 20, draw_there, slope_there));
  EXPECT_EQ(apart(slope_here.flat(), slope_there.flat()), 0.0);

  EXPECT_EQ(a->held_out_loss(at).sum, b->held_out_loss(at).sum);
  for (int part = 0; part < here->test_parts(); ++part) {
    const std::vector<Score> scores = here->test_scores(at, part);
    const std::vector<Score> elsewhere = there->test_scores(at, part);
    for (std::size_t i = 0; i < scores.size(); ++i) EXPECT_EQ(scores[i].sum, elsewhere[i].sum);
  }

  const std::size_t maps = here->maps().size();
  for (std::size_t map = 0; map < maps; ++map) {
    const MapMoments moments = a->map_moments(at, b->weights(), map);
    const MapMoments elsewhere = b->map_moments(at, b->weights(), map);
    EXPECT_EQ(moments.inputs, elsewhere.inputs) << "map " << map;
    EXPECT_EQ(moments.targets, elsewhere.targets) << "map " << map;
    EXPECT_EQ(moments.samples, elsewhere.samples) << "map " << map;
  }

  const RowMatrix head = here->maps().back().matrix(at);
  RowMatrix head_here = RowMatrix::Zero(head.rows(), head.cols());
  RowMatrix head_there = head_here;
  a->head_data(at)->add_gradient(head, head_here);
  b->head_data(at)->add_gradient(head, head_there);
  EXPECT_EQ(head_here, head_there);
}

TEST_P(EveryNetworkElsewhere, training_is_the_same_but_for_the_rounding_of_its_steps) {
  const auto workload_here = workload(DeviceKind::kCpu);
  const auto here = awake(*workload_here, 0);
  const auto workload_there = workload(DeviceKind::kStagedCpu);
  const auto there = awake(*workload_there, 0);
  const std::vector<float> start = values(*here);
  EXPECT_EQ(values(*there), start);
  const double loss = here->train(30, never);
  EXPECT_NEAR(there->train(30, never), loss, 1e-5 * std::abs(loss));
  EXPECT_GT(apart(values(*here), start), 1e-2);
  EXPECT_LT(apart(values(*here), values(*there)), 2e-5);
}

TEST_P(EveryNetworkElsewhere, training_in_pieces_is_training_at_once) {
  const auto w = workload(DeviceKind::kStagedCpu, {.learning_rate = 0.01});
  const auto whole = awake(*w, 0);
  const auto pieces = awake(*w, 0);
  whole->train(17, never);
  pieces->train(1, never);
  pieces->train(8, never);
  StateWriter saved;
  pieces->save(saved);
  const auto loaded = awake(*w, 0);
  StateReader state(saved.bytes());
  loaded->load(state);
  loaded->train(8, never);
  EXPECT_EQ(values(*loaded), values(*whole));
}

TEST_P(EveryNetworkElsewhere, a_loss_that_is_no_longer_finite_is_found_at_the_same_step) {
  std::array<std::string, 2> complaints;
  for (const DeviceKind device : {DeviceKind::kCpu, DeviceKind::kStagedCpu}) {
    const auto w = workload(device, {.kind = OptimizerOptions::Kind::kSgd, .learning_rate = 1e38});
    try {
      awake(*w, 0)->train(10, never);
    } catch (const Error& error) {
      complaints[device == DeviceKind::kCpu ? 0 : 1] = error.what();
    }
  }
  EXPECT_NE(complaints[0].find("at step"), std::string::npos) << complaints[0];
  EXPECT_EQ(complaints[0].substr(complaints[0].find("at step")), complaints[1].substr(complaints[1].find("at step")));
}

INSTANTIATE_TEST_SUITE_P(Perceptrons, EveryNetworkElsewhere,
                         testing::Values(mlp("mlp", {9, 7}, "relu"), mlp("batch_norm", {8, 6}, "relu", "batch"),
                                         mlp("layer_norm", {8, 6}, "tanh", "layer")),
                         name_of);
INSTANTIATE_TEST_SUITE_P(Convolutional, EveryNetworkElsewhere, kConvolutional, name_of);
INSTANTIATE_TEST_SUITE_P(Clouds, EveryNetworkElsewhere, kClouds, name_of);
INSTANTIATE_TEST_SUITE_P(Recurrent, EveryNetworkElsewhere, kRecurrent, name_of);
INSTANTIATE_TEST_SUITE_P(Transformers, EveryNetworkElsewhere, kTransformers, name_of);
INSTANTIATE_TEST_SUITE_P(RecurrentPolicies, EveryNetworkElsewhere, kRecurrentPolicies, name_of);
INSTANTIATE_TEST_SUITE_P(TransformerPolicies, EveryNetworkElsewhere, kTransformerPolicies, name_of);

TEST(Place, lends_what_is_on_the_host_and_copies_what_is_not) {
  ParamVector weights([] {
    auto layout = std::make_shared<ParamLayout>();
    layout->add("a", {2, 3});
    layout->add("b", {4});
    return layout;
  }());
  std::iota(weights.flat().begin(), weights.flat().end(), 0.0F);

  const PlacedVector lent = Place().bring(weights);
  lent.tensors[1].fill_(7.0F);
  EXPECT_EQ(weights.tensor(1)[0], 7.0F);

  const Place place(DeviceKind::kStagedCpu);
  const PlacedVector copied = place.bring(weights);
  copied.tensors[1].fill_(9.0F);
  EXPECT_EQ(weights.tensor(1)[0], 7.0F);
  EXPECT_EQ(copied.flat[6].item<float>(), 9.0F);
  place.fetch(copied.flat, weights.flat());
  EXPECT_EQ(weights.tensor(1)[3], 9.0F);
  EXPECT_EQ(weights.tensor(0)[5], 5.0F);
}

/// Of LibTorch's operations against the fused loops, which round otherwise.
TEST(Trainer, an_optimisers_steps_elsewhere_are_its_steps_here) {
  constexpr std::array kOptions{
      OptimizerOptions{.learning_rate = 0.01, .weight_decay = 0.1},
      OptimizerOptions{.learning_rate = 0.01, .beta1 = 0.8, .beta2 = 0.99, .epsilon = 1e-3},
      OptimizerOptions{.kind = OptimizerOptions::Kind::kSgd, .learning_rate = 0.1, .weight_decay = 0.2},
      OptimizerOptions{.kind = OptimizerOptions::Kind::kSgd, .learning_rate = 0.1, .momentum = 0.9}};
  const Settings settings;
  SettingsReader reader(settings);
  const std::vector<std::uint8_t> bytes(20 * 12, 100);
  const std::vector<std::uint8_t> labels(20, 2);
  const auto samples = make_samples(LabelledBytes{.values = bytes, .labels = labels, .features = 12});
  for (const OptimizerOptions& options : kOptions) {
    std::array<std::vector<float>, 2> outcome;
    for (const DeviceKind device : {DeviceKind::kCpu, DeviceKind::kStagedCpu}) {
      Classroom classroom({.train = samples,
                           .test = samples,
                           .network = make_network(reader, {12, 4}),
                           .options = {.optimizer = options, .device = device}});
      const std::vector<std::int32_t> batch{3, 5, 8};
      classroom.samples->load(batch);
      ParamVector weights(classroom.network->layout());
      RandomStream stream(3, Purpose::kTest);
      for (float& weight : weights.flat()) weight = static_cast<float>(0.1 * stream.normal());
      Optimizer optimizer(options, weights.flat().size());
      Trainer trainer(classroom, weights, optimizer);
      for (int step = 0; step < 10; ++step) {
        Pass pass{.training = true};
        (void)trainer.find_gradient(pass);
        trainer.follow_gradient(0.5);
      }
      trainer.finish();
      EXPECT_EQ(optimizer.steps(), 10);
      std::vector<float>& all = outcome[device == DeviceKind::kCpu ? 0 : 1];
      all.assign(weights.flat().begin(), weights.flat().end());
      for (const Eigen::VectorXf& moment : optimizer.moments()) all.insert(all.end(), moment.begin(), moment.end());
    }
    ASSERT_EQ(outcome[0].size(), outcome[1].size());
    EXPECT_LT(apart(outcome[0], outcome[1]), 1e-6);
  }
}

TEST(Device, what_this_machine_has_not_is_refused_with_what_to_do) {
  if (torch::cuda::is_available()) GTEST_SKIP() << "there is a GPU";
  const Settings settings{{"run.device", {Value(std::string("cuda")), {"a.toml", 3, 1}}}};
  SettingsReader reader(settings);
  const auto expect_advice = [](const auto& ask) {
    std::string complaint;
    try {
      ask();
    } catch (const Error& error) {
      complaint = error.what();
    }
    for (const std::string part : {"run.device", "LibTorch " TORCH_VERSION, "0 devices", "CUDA", "\"cpu\""}) {
      EXPECT_NE(complaint.find(part), std::string::npos) << part << " is missing in: " << complaint;
    }
  };
  expect_advice([] { (void)take_gpu(0); });
  if (!at::Context::hasCUDART()) {  // else a sweep may be planned here for where there is a GPU
    expect_advice([&] { (void)read_device(reader); });
  }
  EXPECT_THROW(Place{DeviceKind::kCuda}, Error);
}

}  // namespace
}  // namespace fleet
