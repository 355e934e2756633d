#include "torch/supervised.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/multiversion.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

constexpr std::size_t kEvaluationBatch = 1000;  // also the size of a part of the test set

FLEET_MULTIVERSION
void scale_bytes(const std::uint8_t* __restrict bytes, std::size_t size, float scale, float shift,
                 float* __restrict out) {
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<float>(bytes[i]) * scale + shift;
}

/// Assembles batches of network inputs and labels, in tensors that are reused.
class Batcher {
 public:
  Batcher(const SupervisedData& data, const LabelledBytes& source) : data_(data), source_(source) {}

  void load(std::span<const std::int32_t> samples) {
    const auto count = static_cast<std::int64_t>(samples.size());
    if (!inputs_.defined() || inputs_.size(0) != count) {
      inputs_ = torch::empty({count, data_.features}, torch::kFloat32);
      labels_ = torch::empty({count}, torch::kInt64);
    }
    const auto features = static_cast<std::size_t>(data_.features);
    const float scale = 1.0F / (255.0F * data_.deviation);
    const float shift = -data_.mean / data_.deviation;
    auto* input = inputs_.data_ptr<float>();
    auto* label = labels_.data_ptr<std::int64_t>();
    for (const std::int32_t sample : samples) {
      const auto index = static_cast<std::size_t>(sample);
      scale_bytes(source_.values.data() + index * features, features, scale, shift, input);
      input += features;
      *label++ = source_.labels[index];
    }
  }

  [[nodiscard]] const torch::Tensor& inputs() const { return inputs_; }
  [[nodiscard]] const torch::Tensor& labels() const { return labels_; }

 private:
  const SupervisedData& data_;
  LabelledBytes source_;
  torch::Tensor inputs_;
  torch::Tensor labels_;
};

struct Scores {
  Score accuracy;
  Score loss;
};

Scores score_samples(const Network& network, const ParamVector& weights, std::span<const std::int32_t> samples,
                     Batcher& batcher) {
  const torch::NoGradGuard no_grad;
  const std::vector<torch::Tensor> parameters = Network::views(weights);
  Scores scores;
  for (std::size_t begin = 0; begin < samples.size(); begin += kEvaluationBatch) {
    const auto part = samples.subspan(begin, std::min(kEvaluationBatch, samples.size() - begin));
    batcher.load(part);
    const torch::Tensor log_p = torch::log_softmax(network.forward(parameters, batcher.inputs()), 1);
    scores.accuracy.sum += log_p.argmax(1).eq(batcher.labels()).sum().item<double>();
    scores.loss.sum += torch::nll_loss(log_p, batcher.labels(), {}, at::Reduction::Sum).item<double>();
    scores.accuracy.samples += static_cast<double>(part.size());
    scores.loss.samples += static_cast<double>(part.size());
  }
  return scores;
}

torch::Tensor view_of(const RowMatrix& matrix) {
  // from_blob() has no const form; nothing writes through this view.
  return torch::from_blob(const_cast<float*>(matrix.data()), {matrix.rows(), matrix.cols()},  // NOLINT
                          torch::kFloat32);
}

/// The inputs of an affine map as its matrix multiplies them: with a one for the bias.
torch::Tensor extended(const torch::Tensor& inputs, const AffineMap& map) {
  if (!map.bias) return inputs;
  return torch::cat({inputs, torch::ones({inputs.size(0), 1})}, 1);
}

/// Softmax regression on features that stay fixed.
class ClassifierHead final : public HeadData {
 public:
  ClassifierHead(torch::Tensor features, torch::Tensor labels)
      : features_(std::move(features)), labels_(std::move(labels)) {}

  void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
    const torch::NoGradGuard no_grad;
    torch::Tensor error = torch::softmax(features_.matmul(view_of(head).t()), 1);  // d loss / d logits = p - one_hot
    error.scatter_add_(1, labels_.unsqueeze(1), torch::full({labels_.size(0), 1}, -1.0F));
    view_of(gradient).add_(error.t().matmul(features_));
  }
  double curvature() const override { return 0.5; }

 private:
  torch::Tensor features_;  // samples x inputs of the head
  torch::Tensor labels_;
};

/// What a rank's robots share, the buffers of one training step included: only one robot trains at a time.
struct Context {
  Context(const SupervisedData& data_, std::shared_ptr<const Network> network_, const TrainingOptions& options_)
      : data(data_),
        network(std::move(network_)),
        options(options_),
        batcher(data, data.train),
        gradient(network->layout()) {}
  Context(const Context&) = delete;  // the batcher refers to `data`
  Context& operator=(const Context&) = delete;

  SupervisedData data;
  std::shared_ptr<const Network> network;
  TrainingOptions options;
  Batcher batcher;
  ParamVector gradient;
};

class SupervisedRobot final : public Robot {
 public:
  SupervisedRobot(Context& context, int index, Shard shard)
      : context_(context),
        index_(index),
        shard_(std::move(shard)),
        order_(shard_.train),
        weights_(context.network->layout()),
        optimizer_(context.options.optimizer, weights_.flat().size()) {
    const int origin = context.options.common_initialization ? 0 : index;
    RandomStream stream(context.options.seed, Purpose::kInitialization, static_cast<std::uint64_t>(origin));
    context.network->initialize(weights_, stream);
  }

  ParamVector& weights() override { return weights_; }
  Optimizer& optimizer() override { return optimizer_; }
  std::int64_t samples() const override { return static_cast<std::int64_t>(shard_.train.size()); }

  double train(std::int64_t steps, const std::function<bool()>& stop) override {
    double total = 0.0;
    std::int64_t done = 0;
    for (; done < steps && !stop(); ++done) {
      context_.batcher.load(next_batch());
      const double loss = cross_entropy_gradient(*context_.network, weights_, context_.batcher.inputs(),
                                                 context_.batcher.labels(), context_.gradient);
      require(std::isfinite(loss), "robot ", index_, ": the training loss became ", loss, " at step ", step_,
              "; a smaller train.learning_rate may help");
      optimizer_.step(weights_.flat(), context_.gradient.flat());
      total += loss;
    }
    return done > 0 ? total / static_cast<double>(done) : 0.0;
  }

  double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) override {
    std::vector<std::int32_t> drawn(static_cast<std::size_t>(batch));
    for (std::int32_t& sample : drawn) sample = shard_.train[stream.below(shard_.train.size())];
    context_.batcher.load(drawn);
    return cross_entropy_gradient(*context_.network, at, context_.batcher.inputs(), context_.batcher.labels(),
                                  gradient);
  }

  Score held_out_score(const ParamVector& at) override {
    const std::vector<std::int32_t>& samples = shard_.held_out.empty() ? shard_.train : shard_.held_out;
    return score_samples(*context_.network, at, samples, context_.batcher).accuracy;
  }

  Score held_out_loss(const ParamVector& at) override {
    const std::vector<std::int32_t>& samples = shard_.held_out.empty() ? shard_.train : shard_.held_out;
    return score_samples(*context_.network, at, samples, context_.batcher).loss;
  }

  MapMoments map_moments(const ParamVector& features, const ParamVector* targets, std::size_t map) override {
    const AffineMap& layer = context_.network->maps()[map];
    if (!layer.sees_data || targets == nullptr) return gather_moments(features, targets, map);
    if (!data_moments_) data_moments_ = gather_moments(features, targets, map).inputs;
    return {*data_moments_, layer.matrix(*targets) * *data_moments_, static_cast<double>(samples())};
  }

  std::unique_ptr<HeadData> head_data(const ParamVector& body) override {
    const std::size_t last = context_.network->maps().size() - 1;
    std::vector<torch::Tensor> features;
    std::vector<torch::Tensor> labels;
    for_each_chunk([&](const torch::Tensor& images, const torch::Tensor& chunk_labels) {
      features.push_back(extended(capture(body, last, images).inputs, context_.network->maps()[last]));
      labels.push_back(chunk_labels.clone());
    });
    return std::make_unique<ClassifierHead>(torch::cat(features), torch::cat(labels));
  }

 private:
  /// Visits the training shard.
  template <class Visit>
  void for_each_chunk(const Visit& visit) {
    const torch::NoGradGuard no_grad;
    const std::span<const std::int32_t> samples(shard_.train);
    for (std::size_t begin = 0; begin < samples.size(); begin += kEvaluationBatch) {
      context_.batcher.load(samples.subspan(begin, std::min(kEvaluationBatch, samples.size() - begin)));
      visit(context_.batcher.inputs(), context_.batcher.labels());
    }
  }

  MapMoments gather_moments(const ParamVector& features, const ParamVector* targets, std::size_t map) {
    const AffineMap& layer = context_.network->maps()[map];
    const Eigen::Index inputs = layer.inputs(features.layout());
    const Eigen::Index outputs = layer.outputs(features.layout());
    Eigen::MatrixXd input_sum = Eigen::MatrixXd::Zero(inputs, inputs);
    Eigen::MatrixXd target_sum = Eigen::MatrixXd::Zero(outputs, inputs);
    Eigen::MatrixXf product(inputs, inputs);
    MapMoments moments;
    for_each_chunk([&](const torch::Tensor& images, const torch::Tensor& labels) {
      const torch::Tensor x = extended(capture(features, map, images).inputs, layer).contiguous();
      const torch::Tensor t = targets != nullptr ? capture(*targets, map, images).outputs.contiguous()
                                                 : torch::one_hot(labels, outputs).to(torch::kFloat32);
      const ConstMatrixView x_rows(x.data_ptr<float>(), x.size(0), inputs);
      product.setZero();
      product.selfadjointView<Eigen::Lower>().rankUpdate(x_rows.transpose());
      input_sum.triangularView<Eigen::Lower>() += product.cast<double>();
      target_sum += (ConstMatrixView(t.data_ptr<float>(), x.size(0), outputs).transpose() * x_rows).cast<double>();
      moments.samples += static_cast<double>(x.size(0));
    });
    moments.inputs = Eigen::MatrixXd(input_sum.selfadjointView<Eigen::Lower>()).cast<float>();
    moments.targets = target_sum.cast<float>();
    return moments;
  }

  MapCapture capture(const ParamVector& weights, std::size_t map, const torch::Tensor& images) const {
    MapCapture captured{.map = map};
    (void)context_.network->forward(Network::views(weights), images, &captured);
    return captured;
  }

  /// The step alone decides the batch: epoch e visits the shard in the order that (seed, robot, e) shuffles.
  std::span<const std::int32_t> next_batch() {
    const auto batch = static_cast<std::size_t>(context_.options.batch_size);
    const std::size_t per_epoch = (order_.size() + batch - 1) / batch;
    const std::size_t position = static_cast<std::size_t>(step_) % per_epoch;
    if (position == 0) {
      order_ = shard_.train;
      RandomStream stream(context_.options.seed, Purpose::kShuffle, static_cast<std::uint64_t>(index_),
                          static_cast<std::uint64_t>(step_) / per_epoch);
      stream.shuffle(std::span(order_));
    }
    ++step_;
    const std::size_t begin = position * batch;
    return std::span(order_).subspan(begin, std::min(batch, order_.size() - begin));
  }

  Context& context_;
  int index_;
  Shard shard_;
  std::vector<std::int32_t> order_;
  ParamVector weights_;
  Optimizer optimizer_;
  std::int64_t step_ = 0;
  std::optional<RowMatrix> data_moments_;  // second moments of what enters a map that sees the data itself
};

class SupervisedWorkload final : public Workload {
 public:
  SupervisedWorkload(const SupervisedData& data, std::shared_ptr<const Network> network, const TrainingOptions& options,
                     std::vector<Shard> shards)
      : context_(data, std::move(network), options),
        shards_(std::move(shards)),
        test_batcher_(context_.data, context_.data.test),
        test_samples_(context_.data.test.labels.size()) {
    std::iota(test_samples_.begin(), test_samples_.end(), 0);
    for (const Shard& shard : shards_) {
      std::vector<std::int64_t>& histogram = histograms_.emplace_back(static_cast<std::size_t>(context_.data.classes));
      for (const std::int32_t sample : shard.train) {
        ++histogram[context_.data.train.labels[static_cast<std::size_t>(sample)]];
      }
    }
  }

  const SymmetrySpec& symmetry() const override { return context_.network->symmetry(); }
  std::span<const AffineMap> maps() const override { return context_.network->maps(); }
  const std::vector<std::vector<std::int64_t>>& histograms() const override { return histograms_; }

  std::int64_t steps_per_epoch(int robot) const override {
    const auto samples = static_cast<std::int64_t>(shards_[static_cast<std::size_t>(robot)].train.size());
    const std::int64_t batch = context_.options.batch_size;
    return (samples + batch - 1) / batch;
  }

  std::unique_ptr<Robot> make_robot(int robot) override {
    return std::make_unique<SupervisedRobot>(context_, robot, shards_[static_cast<std::size_t>(robot)]);
  }

  std::unique_ptr<Robot> make_joint_robot() override { return make_pooled_robot(0, &Shard::train); }

  std::unique_ptr<Robot> make_finetune_robot() override {
    std::unique_ptr<Robot> robot = make_pooled_robot(static_cast<int>(shards_.size()), &Shard::held_out);
    require(robot->samples() > 0, "data.held_out = 0 leaves nothing to finetune a merged policy on");
    return robot;
  }

  int test_parts() const override {
    return static_cast<int>((test_samples_.size() + kEvaluationBatch - 1) / kEvaluationBatch);
  }
  std::vector<std::string> metrics() const override { return {"accuracy", "loss"}; }
  std::vector<Score> test_scores(const ParamVector& weights, int part) override {
    const std::size_t begin = static_cast<std::size_t>(part) * kEvaluationBatch;
    const auto samples = std::span<const std::int32_t>(test_samples_)
                             .subspan(begin, std::min(kEvaluationBatch, test_samples_.size() - begin));
    const Scores scores = score_samples(*context_.network, weights, samples, test_batcher_);
    return {scores.accuracy, scores.loss};
  }

 private:
  /// Trains on one part of everybody's shards; draws its streams as robot `index`.
  std::unique_ptr<Robot> make_pooled_robot(int index, std::vector<std::int32_t> Shard::*part) {
    Shard pooled;
    for (const Shard& shard : shards_) {
      pooled.train.insert(pooled.train.end(), (shard.*part).begin(), (shard.*part).end());
    }
    return std::make_unique<SupervisedRobot>(context_, index, std::move(pooled));
  }

  Context context_;
  std::vector<Shard> shards_;
  std::vector<std::vector<std::int64_t>> histograms_;
  Batcher test_batcher_;
  std::vector<std::int32_t> test_samples_;
};

constexpr std::array<std::pair<std::string_view, OptimizerOptions::Kind>, 2> kOptimizers{
    {{"adam", OptimizerOptions::Kind::kAdam}, {"sgd", OptimizerOptions::Kind::kSgd}}};
constexpr std::array<std::pair<std::string_view, bool>, 2> kInitializations{{{"different", false}, {"common", true}}};

}  // namespace

TrainingOptions read_training_options(SettingsReader& settings) {
  TrainingOptions options;
  OptimizerOptions& optimizer = options.optimizer;
  settings.read("train.batch_size", options.batch_size, at_least(1));
  settings.read("train.optimizer", optimizer.kind, Names<OptimizerOptions::Kind>(kOptimizers));
  settings.read("train.learning_rate", optimizer.learning_rate, above(0));
  settings.read("train.weight_decay", optimizer.weight_decay, at_least(0));
  settings.read("train.momentum", optimizer.momentum, between(0, 1));
  settings.read("train.beta1", optimizer.beta1, between(0, 0.999999));
  settings.read("train.beta2", optimizer.beta2, between(0, 0.999999));
  settings.read("train.epsilon", optimizer.epsilon, above(0));
  settings.read("fleet.initialization", options.common_initialization, Names<bool>(kInitializations));
  settings.read("seed", options.seed);
  return options;
}

std::unique_ptr<Workload> make_supervised_workload(const SupervisedData& data, std::vector<Shard> shards,
                                                   std::shared_ptr<const Network> network,
                                                   const TrainingOptions& options) {
  return std::make_unique<SupervisedWorkload>(data, std::move(network), options, std::move(shards));
}

}  // namespace fleet
