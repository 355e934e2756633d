// A training step of LEAF's LSTM against the same step by torch::nn modules on the same libraries, and against the
// matrix products that it cannot do without, in one run; and one of a Decision Transformer, which python_steps.py sets
// beside PyTorch's.
//
//   sequence_benchmark --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include <torch/torch.h>

#include <cstdio>
#include <numeric>

#include "awake.hpp"
#include "base/blas.hpp"
#include "base/process.hpp"
#include "medians.hpp"
#include "torch/runtime.hpp"
#include "torch/supervised.hpp"
#include "torch/torch_pch.hpp"

namespace fleet {
namespace {

constexpr int kSymbols = 80;
constexpr int kWindow = 80;
constexpr int kEmbedding = 8;
constexpr int kHidden = 256;
constexpr int kLayers = 2;
constexpr int kWindows = 400;
constexpr double kClipNorm = 5.0;

const std::map<std::string, int> kBatches = {
    {"lstm_2x256_batch_4", 4}, {"lstm_2x256_batch_10", 10}, {"lstm_2x256_batch_50", 50}};

/// Random symbols: the cost of a step does not depend on what they say.
std::vector<std::uint8_t> random_text() {
  RandomStream stream(0, Purpose::kTest);
  std::vector<std::uint8_t> text(kWindows * kWindow + 1);
  for (std::uint8_t& symbol : text) symbol = static_cast<std::uint8_t>(stream.below(kSymbols));
  return text;
}

void count_characters(benchmark::State& state, int batch) {
  state.SetItemsProcessed(state.iterations() * batch * kWindow);
}

void training_step(benchmark::State& state, int batch) {
  const std::vector<std::uint8_t> text = random_text();
  TextWindows windows{.symbols = text, .starts = {}, .window = kWindow};
  for (int i = 0; i < kWindows; ++i) windows.starts.push_back(i * std::int64_t{kWindow});
  Shard all;
  all.train.resize(kWindows);
  std::iota(all.train.begin(), all.train.end(), 0);
  const Value::List hidden(kLayers, Value(std::int64_t{kHidden}));
  const Settings settings{{"model.kind", {Value(std::string("lstm")), {}}},
                          {"model.embedding", {Value(std::int64_t{kEmbedding}), {}}},
                          {"model.hidden", {Value(hidden), {}}}};
  SettingsReader reader(settings);
  const std::shared_ptr<Samples> samples = make_samples(std::move(windows));
  const std::unique_ptr<Workload> workload = make_supervised_workload(
      {.train = samples,
       .test = samples,
       .objective = ObjectiveKind::kNextCharacter,
       .shards = std::vector{all},
       .network = make_network(
           reader, {.inputs = kSymbols, .outputs = kSymbols, .input = NetworkShape::Input::kText, .steps = kWindow}),
       .options = {.batch_size = batch, .clip_norm = kClipNorm, .carry_state = true}});
  const std::unique_ptr<Awake> robot = awake(*workload, 0);
  for (auto _ : state) benchmark::DoNotOptimize(robot->train(1, never));
  count_characters(state, batch);
}

/// Of a hopper: 2 blocks of width 64, windows of 20 steps.
void decision_step(benchmark::State& state) {
  constexpr int kBatch = 32;
  constexpr int kSteps = 20;
  constexpr int kRows = 4000;
  constexpr NetworkShape kShape{.inputs = 18,
                                .outputs = 3,
                                .input = NetworkShape::Input::kTrajectory,
                                .steps = kSteps,
                                .bodies = 1,
                                .states = 11,
                                .longest = 1000};
  RandomStream stream(0, Purpose::kTest);
  std::vector<float> actions(kRows * kShape.outputs);
  for (float& value : actions) value = static_cast<float>(stream.normal());
  std::vector<float> seen(kRows * kShape.inputs);
  for (float& value : seen) value = static_cast<float>(stream.normal());
  const auto observe = [&](std::int32_t row, std::span<float> into) {
    std::copy_n(seen.data() + static_cast<std::size_t>(row) * into.size(), into.size(), into.data());
    into.back() = static_cast<float>(row % kShape.longest);
  };
  Shard all;
  all.train.resize(kRows - kSteps);
  std::iota(all.train.begin(), all.train.end(), 0);
  const Settings settings{{"model.layers", {Value(std::int64_t{2}), {}}},
                          {"model.width", {Value(std::int64_t{64}), {}}}};
  SettingsReader reader(settings);
  const std::shared_ptr<Samples> samples = make_samples(Demonstrations{.actions = actions,
                                                                       .features = kShape.inputs,
                                                                       .dimensions = kShape.outputs,
                                                                       .window = kSteps,
                                                                       .observe = observe});
  const std::unique_ptr<Workload> workload =
      make_supervised_workload({.train = samples,
                                .test = samples,
                                .objective = ObjectiveKind::kSquaredError,
                                .shards = std::vector{all},
                                .network = make_network(reader, kShape),
                                .options = {.batch_size = kBatch, .clip_norm = 0.25}});
  const std::unique_ptr<Awake> robot = awake(*workload, 0);
  for (auto _ : state) benchmark::DoNotOptimize(robot->train(1, never));
  state.SetItemsProcessed(state.iterations() * kBatch * kSteps);
}

/// The same model as one writes it with LibTorch's modules.
struct CharacterModel : torch::nn::Module {
  CharacterModel()
      : embedding(register_module("embedding", torch::nn::Embedding(kSymbols, kEmbedding))),
        lstm(register_module(
            "lstm",
            torch::nn::LSTM(torch::nn::LSTMOptions(kEmbedding, kHidden).num_layers(kLayers).batch_first(true)))),
        decoder(register_module("decoder", torch::nn::Linear(kHidden, kSymbols))) {}
  torch::nn::Embedding embedding;
  torch::nn::LSTM lstm;
  torch::nn::Linear decoder;
};

void module_step(benchmark::State& state, int batch) {
  CharacterModel model;
  torch::optim::Adam adam(model.parameters());
  const std::vector<std::uint8_t> text = random_text();
  const torch::Tensor symbols =
      torch::tensor(std::vector<std::int64_t>(text.begin(), text.begin() + batch * kWindow)).view({batch, kWindow});
  torch::Tensor h = torch::zeros({kLayers, batch, kHidden});
  torch::Tensor c = torch::zeros({kLayers, batch, kHidden});
  for (auto _ : state) {
    adam.zero_grad();
    const auto [outputs, after] = model.lstm->forward(model.embedding->forward(symbols), std::make_tuple(h, c));
    const torch::Tensor loss =
        torch::nn::functional::cross_entropy(model.decoder->forward(outputs.flatten(0, 1)), symbols.flatten());
    loss.backward();
    torch::nn::utils::clip_grad_norm_(model.parameters(), kClipNorm);
    adam.step();
    h = std::get<0>(after).detach();
    c = std::get<1>(after).detach();
    benchmark::DoNotOptimize(loss.item<float>());
  }
  count_characters(state, batch);
}

/// A layer's products, forward and back. Inputs meet their weights for all steps at once, states step by step.
struct LayerProducts {
  LayerProducts(int inputs, int batch)
      : x(RowMatrix::Random(batch * kWindow, inputs)),
        h(RowMatrix::Random(batch * kWindow, kHidden)),
        gates(RowMatrix::Random(batch * kWindow, 4 * kHidden)),
        input(RowMatrix::Random(4 * kHidden, inputs)),
        recurrent(RowMatrix::Random(4 * kHidden, kHidden)),
        x_gradient(x),
        h_gradient(h),
        input_gradient(input),
        recurrent_gradient(recurrent),
        rows(batch) {}

  void run() {
    gates.noalias() = x * input.transpose();
    for (int t = 0; t < kWindow; ++t) at(gates, t).noalias() += at(h, t) * recurrent.transpose();
    for (int t = kWindow; t-- > 0;) at(h_gradient, t).noalias() = at(gates, t) * recurrent;
    x_gradient.noalias() = gates * input;
    input_gradient.noalias() = gates.transpose() * x;
    recurrent_gradient.noalias() = gates.transpose() * h;
  }
  [[nodiscard]] Eigen::Block<RowMatrix> at(RowMatrix& all, int step) const {
    return all.block(step * rows, 0, rows, all.cols());
  }

  RowMatrix x, h, gates, input, recurrent, x_gradient, h_gradient, input_gradient, recurrent_gradient;
  int rows;
};

void matrix_products(benchmark::State& state, int batch) {
  std::vector<LayerProducts> layers;
  for (int l = 0; l < kLayers; ++l) layers.emplace_back(l == 0 ? kEmbedding : kHidden, batch);
  const RowMatrix decoder = RowMatrix::Random(kSymbols, kHidden);
  RowMatrix decoder_gradient = decoder;
  RowMatrix outputs(batch * kWindow, kSymbols);
  for (auto _ : state) {
    for (LayerProducts& layer : layers) layer.run();
    outputs.noalias() = layers.back().h * decoder.transpose();
    decoder_gradient.noalias() = outputs.transpose() * layers.back().h;
    layers.back().h_gradient.noalias() = outputs * decoder;
    benchmark::ClobberMemory();
  }
  count_characters(state, batch);
}

class Ratios final : public Medians {
  void print_ratios() override {
    for (const auto& [name, batch] : kBatches) {
      const std::string step = "training_step/" + name;
      std::printf("%s: %.0f characters a second of one core\n", name.c_str(), 1e3 * batch * kWindow / median(step));
      print_rate(name + ", training beside LibTorch's modules", step, "module_step/" + name);
      print_rate(name + ", training beside its matrix products", step, "matrix_products/" + name);
    }
  }
};

}  // namespace
}  // namespace fleet

int main(int argc, char** argv) {
  fleet::ensure_fast_blas(argv);
  fleet::keep_freed_memory();
  benchmark::Initialize(&argc, argv);
  fleet::set_threads(1);
  for (const auto& [name, batch] : fleet::kBatches) {
    const auto add = [&, size = batch](const std::string& kind, auto* function) {
      benchmark::RegisterBenchmark((kind + "/" + name).c_str(), function, size)->Unit(benchmark::kMillisecond);
    };
    add("training_step", fleet::training_step);
    add("module_step", fleet::module_step);
    add("matrix_products", fleet::matrix_products);
  }
  benchmark::RegisterBenchmark("decision_step/transformer_2x64_batch_32", fleet::decision_step)
      ->Unit(benchmark::kMillisecond);
  fleet::Ratios ratios;
  benchmark::RunSpecifiedBenchmarks(&ratios);
}
