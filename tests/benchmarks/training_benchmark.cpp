// The hot paths against what bounds them, in one run: a training step against the matrix products that it cannot do
// without, on the same BLAS; a FLEET-MERGE alignment step against a training step of the same model and batch.
//
//   training_benchmark --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include <benchmark/benchmark.h>

#include <map>
#include <numeric>

#include "awake.hpp"
#include "base/blas.hpp"
#include "base/process.hpp"
#include "medians.hpp"
#include "merge/fleet_merge.hpp"
#include "torch/runtime.hpp"
#include "torch/supervised.hpp"

namespace fleet {
namespace {

constexpr int kInputs = 784;
constexpr int kClasses = 10;
constexpr int kSamples = 4096;

/// A model and batch to measure at.
struct Case {
  std::vector<int> hidden;
  int batch;
};
const std::map<std::string, Case> kCases = {
    {"mlp_4x512_batch_256", {{512, 512, 512, 512}, 256}},
    {"mlp_2x128_batch_128", {{128, 128}, 128}},
    {"mlp_2x200_batch_10", {{200, 200}, 10}},
};

/// Random images: the cost of a step does not depend on what they show.
class Problem {
 public:
  explicit Problem(const Case& shape) : images_(kSamples * kInputs), labels_(kSamples), batch_(shape.batch) {
    RandomStream stream(0, Purpose::kTest);
    for (std::uint8_t& pixel : images_) pixel = static_cast<std::uint8_t>(stream.below(256));
    for (std::uint8_t& label : labels_) label = static_cast<std::uint8_t>(stream.below(kClasses));
    Value::List hidden;
    for (const int width : shape.hidden) hidden.emplace_back(std::int64_t{width});
    const Settings settings{{"model.hidden", Setting{Value(hidden), {}}}};
    SettingsReader reader(settings);
    Shard all;
    all.train.resize(kSamples);
    std::iota(all.train.begin(), all.train.end(), 0);
    const std::shared_ptr<Samples> samples =
        make_samples(LabelledBytes{.values = images_, .labels = labels_, .features = kInputs});
    workload_ = make_supervised_workload({.train = samples,
                                          .test = samples,
                                          .shards = std::vector{all},
                                          .network = make_network(reader, {kInputs, kClasses}),
                                          .options = {.batch_size = batch_}});
    robot_ = awake(*workload_, 0);
  }

  Workload& workload() { return *workload_; }
  Awake& robot() { return *robot_; }
  [[nodiscard]] int batch() const { return batch_; }

 private:
  std::vector<std::uint8_t> images_;
  std::vector<std::uint8_t> labels_;
  int batch_;
  std::unique_ptr<Workload> workload_;
  std::unique_ptr<Awake> robot_;
};

void training_step(benchmark::State& state, const Case& shape) {
  Problem problem(shape);
  const auto never = [] { return false; };
  for (auto _ : state) benchmark::DoNotOptimize(problem.robot().train(1, never));
  state.SetItemsProcessed(state.iterations() * shape.batch);
}

/// Forward, weight gradients and, but for the first layer, input gradients of every layer.
void matrix_products(benchmark::State& state, const Case& shape) {
  std::vector<int> widths{kInputs};
  widths.insert(widths.end(), shape.hidden.begin(), shape.hidden.end());
  widths.push_back(kClasses);
  std::vector<RowMatrix> activations;
  std::vector<RowMatrix> weights;
  std::vector<RowMatrix> gradients;
  for (std::size_t l = 0; l < widths.size(); ++l) {
    activations.push_back(RowMatrix::Random(shape.batch, widths[l]));
    if (l > 0) weights.push_back(RowMatrix::Random(widths[l], widths[l - 1]));
    if (l > 0) gradients.push_back(RowMatrix::Random(widths[l], widths[l - 1]));
  }
  std::vector<RowMatrix> deltas = activations;
  for (auto _ : state) {
    for (std::size_t l = 0; l < weights.size(); ++l) {
      activations[l + 1].noalias() = activations[l] * weights[l].transpose();
    }
    for (std::size_t l = weights.size(); l-- > 0;) {
      gradients[l].noalias() = deltas[l + 1].transpose() * activations[l];
      if (l > 0) deltas[l].noalias() = deltas[l + 1] * weights[l];
    }
    benchmark::ClobberMemory();
  }
}

void alignment_step(benchmark::State& state, const Case& shape) {
  Problem problem(shape);
  const SymmetrySpec& symmetry = problem.workload().symmetry();
  const ParamVector weights = problem.robot().weights();
  RandomStream stream(1, Purpose::kTest);
  const ParamVector reference = symmetry.apply(symmetry.random(stream), weights);
  Aligner aligner({.batch_size = shape.batch}, symmetry, weights, to_matrices(symmetry.identity()));
  for (auto _ : state) aligner.step(0.5, reference, problem.robot(), stream);
}

class Ratios final : public Medians {
  void print_ratios() override {
    for (const auto& [name, shape] : kCases) {
      print_rate(name + ", training beside its matrix products", "training_step/" + name, "matrix_products/" + name);
      print_rate(name + ", alignment beside training", "alignment_step/" + name, "training_step/" + name);
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
  for (const auto& [name, shape] : fleet::kCases) {
    const auto add = [&](const std::string& kind, auto* function) {
      benchmark::RegisterBenchmark((kind + "/" + name).c_str(), function, shape)->Unit(benchmark::kMillisecond);
    };
    add("training_step", fleet::training_step);
    add("matrix_products", fleet::matrix_products);
    add("alignment_step", fleet::alignment_step);
  }
  fleet::Ratios ratios;
  benchmark::RunSpecifiedBenchmarks(&ratios);
}
