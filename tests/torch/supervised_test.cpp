#include "torch/supervised.hpp"
#include "awake.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <numeric>

#include "base/error.hpp"
#include "torch/network.hpp"
#include "torch/objective.hpp"
#include "torch/samples.hpp"

namespace fleet {
namespace {

constexpr int kFeatures = 16;
constexpr int kClasses = 3;

/// Class k lights the pixels k, k + 3, k + 6 ... up, with noise.
struct Blobs {
  explicit Blobs(int samples, std::uint64_t seed) {
    RandomStream stream(seed, Purpose::kTest);
    for (int i = 0; i < samples; ++i) {
      const int label = i % kClasses;
      labels.push_back(static_cast<std::uint8_t>(label));
      for (int f = 0; f < kFeatures; ++f) {
        values.push_back(static_cast<std::uint8_t>((f % kClasses == label ? 150 : 0) + stream.below(100)));
      }
    }
  }
  std::vector<std::uint8_t> values;
  std::vector<std::uint8_t> labels;
};

class SupervisedTest : public testing::Test {
 protected:
  std::unique_ptr<Workload> workload(TrainingOptions options = {.batch_size = 10}, const std::string& norm = "none") {
    const Settings settings{{"model.hidden", Setting{Value(Value::List{Value(std::int64_t{8})}), {}}},
                            {"model.norm", Setting{Value(norm), {}}}};
    SettingsReader reader(settings);
    Shard all;
    all.train.resize(95);
    std::iota(all.train.begin(), all.train.end(), 0);
    all.held_out = {95, 96, 97, 98, 99};
    Shard few{.train = {1, 2, 3}, .held_out = {}};
    std::vector<Shard> shards{all, few, {}};
    return make_supervised_workload(
        {.train = samples(train_),
         .test = samples(test_),
         .shards = shards,
         .histogram =
             [=, this](int i) { return histogram_of(shards[static_cast<std::size_t>(i)], train_.labels, kClasses); },
         .network = make_network(reader, {kFeatures, kClasses}),
         .options = options});
  }
  static std::shared_ptr<Samples> samples(const Blobs& blobs) {
    return make_samples(LabelledBytes{.values = blobs.values, .labels = blobs.labels, .features = kFeatures});
  }

  Blobs train_{100, 1};
  Blobs test_{2500, 2};
};

TEST_F(SupervisedTest, training_learns) {
  const auto w = workload({.batch_size = 10, .optimizer = {.learning_rate = 0.01}});
  const auto robot = awake(*w, 0);
  robot->train(300, never);
  Score accuracy;
  for (int part = 0; part < w->test_parts(); ++part) {
    const Score score = w->test_scores(robot->weights(), part)[0];
    accuracy.sum += score.sum;
    accuracy.samples += score.samples;
  }
  EXPECT_EQ(accuracy.samples, 2500.0);
  EXPECT_GT(accuracy.sum / accuracy.samples, 0.95);
}

TEST_F(SupervisedTest, training_in_pieces_is_training_at_once) {
  const auto w = workload();
  const auto whole = awake(*w, 0);
  const auto pieces = awake(*w, 0);
  whole->train(37, never);
  for (const int steps : {1, 9, 20, 7}) pieces->train(steps, never);
  EXPECT_EQ(values(*whole), values(*pieces));
}

TEST_F(SupervisedTest, robots_that_share_a_rank_do_not_touch_each_other) {
  const auto w = workload();
  const auto alone = awake(*w, 0);
  alone->train(20, never);
  const auto first = awake(*w, 0);
  const auto second = awake(*w, 1);
  for (int i = 0; i < 20; ++i) {
    first->train(1, never);
    second->train(1, never);
  }
  EXPECT_EQ(values(*alone), values(*first));
}

TEST_F(SupervisedTest, initialisation_is_common_or_different_as_asked) {
  const auto different = workload();
  EXPECT_NE(values(*awake(*different, 0)), values(*awake(*different, 1)));
  const auto common = workload({.common_initialization = true});
  EXPECT_EQ(values(*awake(*common, 0)), values(*awake(*common, 1)));
}

TEST_F(SupervisedTest, epochs_histograms_and_pooling_count_the_shards) {
  const auto w = workload();
  EXPECT_EQ(w->steps_per_epoch(0), 10);
  EXPECT_EQ(w->steps_per_epoch(1), 1);
  EXPECT_EQ(w->steps_per_epoch(2), 0);
  EXPECT_EQ(w->histogram(1), (std::vector<std::int64_t>{1, 1, 1}));
  EXPECT_EQ(w->make_joint_robot()->samples(), 98);
  EXPECT_EQ(awake(*w, 2)->samples(), 0);
}

TEST_F(SupervisedTest, held_out_scores_count_held_out_samples_or_the_shard_without_any) {
  const auto w = workload();
  const auto robot = awake(*w, 0);
  EXPECT_EQ(robot->held_out_score(robot->weights()).samples, 5.0);
  EXPECT_EQ(awake(*w, 1)->held_out_score(robot->weights()).samples, 3.0);
}

TEST_F(SupervisedTest, a_diverging_robot_is_named) {
  const auto w =
      workload({.batch_size = 10, .optimizer = {.kind = OptimizerOptions::Kind::kSgd, .learning_rate = 1e20}});
  const auto robot = awake(*w, 1);
  try {
    robot->train(100, never);
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("robot 1: ")) << error.what();
  }
}

TEST_F(SupervisedTest, adam_agrees_with_torch) {
  const auto w = workload({.batch_size = 95, .optimizer = {.learning_rate = 0.01, .weight_decay = 0.01}});
  const auto robot = awake(*w, 0);
  ParamVector weights = robot->weights();
  std::vector<torch::Tensor> parameters;
  for (const torch::Tensor& view : Network::views(weights)) parameters.push_back(view.clone().requires_grad_(true));
  torch::optim::Adam adam(parameters, torch::optim::AdamOptions(0.01).weight_decay(0.01));
  torch::Tensor inputs = torch::empty({95, kFeatures});
  torch::Tensor labels = torch::empty({95}, torch::kInt64);
  for (int i = 0; i < 95; ++i) {
    labels[i] = train_.labels[static_cast<std::size_t>(i)];
    for (int f = 0; f < kFeatures; ++f) {
      inputs[i][f] = static_cast<float>(train_.values[static_cast<std::size_t>(i * kFeatures + f)]) / 255.0F;
    }
  }
  for (int step = 0; step < 10; ++step) {
    adam.zero_grad();
    const torch::Tensor hidden = torch::linear(inputs, parameters[0], parameters[1]).relu();
    torch::nn::functional::cross_entropy(torch::linear(hidden, parameters[2], parameters[3]), labels).backward();
    adam.step();
  }
  robot->train(10, never);
  const std::vector<torch::Tensor> ours = Network::views(robot->weights());
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_LT((ours[i] - parameters[i].detach()).abs().max().item<float>(), 2e-5F);
  }
}

/// One step from the same weights: the forward pass alone moves running statistics.
TEST_F(SupervisedTest, weight_decay_leaves_running_statistics_alone) {
  for (const auto kind : {OptimizerOptions::Kind::kAdam, OptimizerOptions::Kind::kSgd}) {
    const auto step = [&](double decay) {
      const OptimizerOptions optimizer{.kind = kind, .learning_rate = 0.1, .weight_decay = decay};
      const auto w = workload({.batch_size = 10, .optimizer = optimizer}, "batch");
      const auto robot = awake(*w, 0);
      robot->train(1, never);
      return std::pair(robot->weights(), *w->maps().front().norm);
    };
    const auto [plain, norm] = step(0.0);
    const auto [decayed, same] = step(0.5);
    for (const std::size_t tensor : {norm.mean, norm.variance}) {
      EXPECT_TRUE(std::ranges::equal(decayed.tensor(tensor), plain.tensor(tensor)));
    }
    EXPECT_FALSE(std::ranges::equal(decayed.tensor(norm.scale), plain.tensor(norm.scale)));
  }
}

TEST_F(SupervisedTest, moments_are_sums_of_outer_products_of_what_enters_and_leaves_a_layer) {
  const auto w = workload();
  const auto robot = awake(*w, 1);  // samples 1, 2, 3
  const auto other = awake(*w, 0);
  const ParamVector& features = robot->weights();
  const ParamVector& targets = other->weights();
  RowMatrix images = RowMatrix::Ones(3, kFeatures + 1);
  for (int i = 0; i < 3; ++i) {
    for (int f = 0; f < kFeatures; ++f) {
      images(i, f) = static_cast<float>(train_.values[static_cast<std::size_t>((i + 1) * kFeatures + f)]) / 255.0F;
    }
  }
  const auto hidden = [&](const ParamVector& at) {
    RowMatrix h = RowMatrix::Ones(3, 9);
    h.leftCols(8) = (images * w->maps()[0].matrix(at).transpose()).cwiseMax(0.0F);
    return h;
  };
  const MapMoments first = robot->map_moments(features, targets, 0);
  const RowMatrix first_outputs = images * w->maps()[0].matrix(targets).transpose();
  EXPECT_TRUE(first.inputs.cast<float>().isApprox(images.transpose() * images, 1e-4F));
  EXPECT_TRUE(first.targets.cast<float>().isApprox(first_outputs.transpose() * images, 1e-4F));
  EXPECT_EQ(first.samples, 3.0);

  const RowMatrix h = hidden(features);
  const MapMoments last = robot->map_moments(features, targets, 1);
  const RowMatrix last_outputs = hidden(targets) * w->maps()[1].matrix(targets).transpose();
  EXPECT_TRUE(last.inputs.cast<float>().isApprox(h.transpose() * h, 1e-4F));
  EXPECT_TRUE(last.targets.cast<float>().isApprox(last_outputs.transpose() * h, 1e-4F));

  RowMatrix labels = RowMatrix::Zero(3, kClasses);
  for (int i = 0; i < 3; ++i) labels(i, train_.labels[static_cast<std::size_t>(i + 1)]) = 1.0F;
  const MapMoments head = robot->head_data(features)->moments();
  EXPECT_TRUE(head.inputs.cast<float>().isApprox(h.transpose() * h, 1e-4F));
  EXPECT_TRUE(head.targets.cast<float>().isApprox(labels.transpose() * h, 1e-4F));
}

/// 800 images of 28 x 28 make 627,200 patches, and 131,072 are the most that a fleet looks at: every fifth image stands
/// for all, whoever holds it. Of a fleet with 80 images all are seen.
TEST(Moments, of_too_many_patches_are_estimated_from_evenly_spaced_images) {
  constexpr int kImages = 800;
  constexpr int kParts = 10;
  constexpr int kPixels = 28 * 28;
  RandomStream stream(8, Purpose::kTest);
  std::vector<std::uint8_t> values;
  for (int i = 0; i < kImages; ++i) {
    const std::uint64_t brightness = stream.below(200);
    for (int p = 0; p < kPixels; ++p) values.push_back(static_cast<std::uint8_t>(brightness + stream.below(50)));
  }
  const std::vector<std::uint8_t> labels(kImages, 0);
  const Value two(Value::List{Value(std::int64_t{2})});
  const Settings settings{{"model.kind", Setting{Value(std::string("cnn")), {}}},
                          {"model.channels", Setting{two, {}}},
                          {"model.hidden", Setting{two, {}}}};
  const NetworkShape shape{
      .inputs = kPixels, .outputs = 2, .input = NetworkShape::Input::kImage, .height = 28, .width = 28};
  const std::shared_ptr<Samples> samples =
      make_samples(LabelledBytes{.values = values, .labels = labels, .features = kPixels});
  const auto workload = [&](const std::vector<Shard>& shards) {
    SettingsReader reader(settings);
    return make_supervised_workload({.train = samples,
                                     .test = samples,
                                     .shards = shards,
                                     .histogram = [](int /*robot*/) { return std::vector<std::int64_t>(); },
                                     .network = make_network(reader, shape),
                                     .options = {.common_initialization = true}});
  };
  Shard all;
  std::vector<Shard> parts(kParts);
  for (int i = 0; i < kImages; ++i) {
    all.train.push_back(i);
    parts[static_cast<std::size_t>(i * kParts / kImages)].train.push_back(i);
  }
  const auto alone = workload({all});
  const auto fleet = workload(parts);
  const ParamVector weights = awake(*alone, 0)->weights();
  for (std::size_t map = 0; map < alone->maps().size(); ++map) {
    const MapMoments found = awake(*alone, 0)->map_moments(weights, weights, map);
    MapMoments shared{DoubleMatrix::Zero(found.inputs.rows(), found.inputs.cols()), {}};
    MapMoments whole = shared;
    for (int part = 0; part < kParts; ++part) {
      const MapMoments own = awake(*fleet, part)->map_moments(weights, weights, map);
      shared.inputs += own.inputs;
      shared.samples += own.samples;
      const auto small = workload({parts[static_cast<std::size_t>(part)]});
      const MapMoments seen = awake(*small, 0)->map_moments(weights, weights, map);
      whole.inputs += seen.inputs;
      whole.samples += seen.samples;
    }
    EXPECT_DOUBLE_EQ(found.samples, whole.samples);
    EXPECT_DOUBLE_EQ(shared.samples, whole.samples);
    EXPECT_LT((shared.inputs - found.inputs).norm() / found.inputs.norm(), 1e-6) << alone->maps()[map].name;
    const double error = (found.inputs - whole.inputs).norm() / whole.inputs.norm();
    // A mean of squared brightness over 160 images has a standard error of 7 %.
    EXPECT_LT(error, map == 0 ? 0.21 : 1e-5) << alone->maps()[map].name;
    EXPECT_GT(error, map == 0 ? 1e-4 : -1.0) << "all patches were counted";
  }
}

TEST_F(SupervisedTest, the_gradient_of_the_head_alone_is_that_of_the_whole_network) {
  const auto w = workload({.batch_size = 3});
  const auto robot = awake(*w, 1);
  ParamVector before = robot->weights();
  RowMatrix gradient = RowMatrix::Zero(kClasses, 9);
  robot->head_data(before)->add_gradient(w->maps()[1].matrix(before), gradient);
  // One epoch of plain gradient descent is one step over the three samples.
  const auto descending =
      workload({.batch_size = 3, .optimizer = {.kind = OptimizerOptions::Kind::kSgd, .learning_rate = 1.0}});
  const auto stepped = awake(*descending, 1);
  stepped->weights() = before;
  stepped->train(1, never);
  const RowMatrix step = w->maps()[1].matrix(before) - w->maps()[1].matrix(stepped->weights());
  EXPECT_TRUE(step.isApprox(gradient / 3.0F, 1e-3F));
}

TEST_F(SupervisedTest, the_matrix_of_a_map_is_written_back_as_it_was_read) {
  const auto w = workload();
  const auto robot = awake(*w, 0);
  for (const AffineMap& map : w->maps()) {
    ParamVector copy(robot->weights().shared_layout());
    map.assign(map.matrix(robot->weights()), copy);
    EXPECT_TRUE(map.matrix(copy) == map.matrix(robot->weights()));
    EXPECT_EQ(map.matrix(copy).cols(), map.inputs(copy.layout()));
  }
}

}  // namespace
}  // namespace fleet
