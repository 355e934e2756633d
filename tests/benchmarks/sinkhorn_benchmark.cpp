// The relaxed permutation and its adjoint at 512 units, single precision, against the rate at which one core moves as
// many bytes in a triad a = b + s c over matrices of the same size, which counts three passes over a matrix.
//
//   sinkhorn_benchmark --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include <cstdio>

#include "base/random.hpp"
#include "medians.hpp"
#include "merge/sinkhorn.hpp"

namespace fleet {
namespace {

constexpr Eigen::Index kSize = 512;
constexpr int kFew = 5;    // iterations of fleet-merge
constexpr int kMany = 20;  // of sinkhorn-data

// Passes over a 512 x 512 matrix, for T iterations. Forward reads X for its range, reads X and writes K, reads K T
// times, reads K and writes P. Backward reads K and G, K T times, writes the rank-2T part and reads it, K and G to
// write dL/dX.
double forward_passes(int iterations) {
  return 5.0 + iterations;
}
double backward_passes(int iterations) {
  return 7.0 + iterations;
}

RowMatrix gaussian(std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kTest);
  return RowMatrix::NullaryExpr(kSize, kSize, [&](auto, auto) { return static_cast<float>(stream.normal()); });
}

void triad(benchmark::State& state) {
  const RowMatrix b = gaussian(1);
  const RowMatrix c = gaussian(2);
  RowMatrix a = b;
  for (auto _ : state) {
    a.noalias() = b + 0.5F * c;
    benchmark::DoNotOptimize(a.data());
    benchmark::ClobberMemory();
  }
}
BENCHMARK(triad)->Unit(benchmark::kMicrosecond);

template <int kIterations>
void forward(benchmark::State& state) {
  const RowMatrix scores = gaussian(3);
  Sinkhorn sinkhorn(1.0, kIterations);
  for (auto _ : state) benchmark::DoNotOptimize(sinkhorn.forward(scores).data());
}
BENCHMARK(forward<kFew>)->Unit(benchmark::kMicrosecond);
BENCHMARK(forward<kMany>)->Unit(benchmark::kMicrosecond);

template <int kIterations>
void backward(benchmark::State& state) {
  const RowMatrix gradient = gaussian(4);
  Sinkhorn sinkhorn(1.0, kIterations);
  sinkhorn.forward(gaussian(3));
  for (auto _ : state) benchmark::DoNotOptimize(sinkhorn.backward(gradient).data());
}
BENCHMARK(backward<kFew>)->Unit(benchmark::kMicrosecond);
BENCHMARK(backward<kMany>)->Unit(benchmark::kMicrosecond);

class Rates final : public Medians {
 private:
  void print_ratios() override {
    const double pass = median("triad") / 3.0;
    if (pass <= 0.0) return;
    std::printf("a triad moves %.1f GB/s\n", 1e-3 * sizeof(float) * kSize * kSize / pass);
    print("forward<kFew>", forward_passes(kFew), pass);
    print("forward<kMany>", forward_passes(kMany), pass);
    print("backward<kFew>", backward_passes(kFew), pass);
    print("backward<kMany>", backward_passes(kMany), pass);
  }
  void print(const std::string& name, double passes, double pass) {
    if (median(name) > 0.0) print_ratio("Sinkhorn " + name + " beside a triad", passes * pass / median(name));
  }
};

}  // namespace
}  // namespace fleet

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  fleet::Rates rates;
  benchmark::RunSpecifiedBenchmarks(&rates);
  return 0;
}
