// What linear policies cost: to train, to judge and to merge, against the size n of their state. The merge's inner
// problem is measured beside the dense n^2 x n^2 system that it does without.
//
//   lqg_benchmark --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
#include "lqg/expected_cost.hpp"
#include "lqg/imitation.hpp"
#include "lqg/systems.hpp"
#include "medians.hpp"
#include "merge/basis_fit.hpp"
#include "merge/general_linear.hpp"

namespace fleet {
namespace {

using namespace lqg_test;

constexpr Index kObservations = 50;
constexpr int kHorizon = 100;
constexpr int kRobots = 10;

/// A system with n states, its optimal policy, and policies near that in bases of their own.
struct Problem {
  explicit Problem(Index n)
      : system(random_system(n, kObservations, 0.95, 1)),
        cost(random_cost(system, 1)),
        policy(optimal_policy(system, cost)),
        symmetry(policy_symmetry(PolicyKind::kDynamic, system)),
        weights(kRobots, ParamVector(symmetry.layout())) {
    RandomStream stream(2, Purpose::kTest);
    for (ParamVector& own : weights) {
      LinearPolicy near = policy;
      near.a += 0.01 * gaussian(n, n, stream);
      near.c += 0.01 * gaussian(system.inputs(), n, stream);
      to_weights(PolicyKind::kDynamic, near.in_basis(invertible(n, stream)), own);
    }
  }

  LinearSystem system;
  QuadraticCost cost;
  LinearPolicy policy;
  SymmetrySpec symmetry;
  std::vector<ParamVector> weights;
};

void training_step(benchmark::State& state) {
  const Problem problem(state.range(0));
  std::vector<const LinearPolicy*> experts(static_cast<std::size_t>(state.range(1)), &problem.policy);
  std::vector<RandomStream> streams;
  for (std::uint64_t k = 0; k < experts.size(); ++k) streams.emplace_back(3, Purpose::kTest, k);
  const Demonstrations data = Simulator(problem.system).demonstrate(experts, kHorizon, streams);
  ImitationLoss imitation(data);
  LinearPolicy gradient;
  for (auto _ : state) benchmark::DoNotOptimize(imitation.loss_gradient(problem.policy, gradient));
}
BENCHMARK(training_step)->ArgNames({"n", "trajectories"})->Args({4, 5})->Args({4, 50})->Args({16, 5});

void cost_over_the_horizon(benchmark::State& state) {
  const Problem problem(state.range(0));
  for (auto _ : state) {
    benchmark::DoNotOptimize(expected_cost(problem.system, problem.cost, problem.policy, kHorizon));
  }
}
BENCHMARK(cost_over_the_horizon)->ArgName("n")->Arg(4)->Arg(16)->Arg(64);

void cost_in_the_long_run(benchmark::State& state) {
  const Problem problem(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(stationary_cost(problem.system, problem.cost, problem.policy));
}
BENCHMARK(cost_in_the_long_run)->ArgName("n")->Arg(4)->Arg(16)->Arg(64);

/// One robot's basis, from the identity.
void basis_by_conjugate_gradients(benchmark::State& state) {
  const Problem problem(state.range(0));
  const LinearView view(problem.symmetry, 0);
  const LinearBlocks reference = view.blocks(problem.weights[0]);
  const LinearBlocks own = view.blocks(problem.weights[1]);
  for (auto _ : state) {
    MatrixXd basis = MatrixXd::Identity(state.range(0), state.range(0));
    state.counters["iterations"] = fit_basis(reference, own, basis);
  }
}
BENCHMARK(basis_by_conjugate_gradients)->ArgName("n")->RangeMultiplier(2)->Range(4, 64)->Unit(benchmark::kMicrosecond);

void basis_by_the_dense_system(benchmark::State& state) {
  const Index n = state.range(0);
  const Problem problem(n);
  const LinearView view(problem.symmetry, 0);
  const LinearBlocks reference = view.blocks(problem.weights[0]);
  const LinearBlocks own = view.blocks(problem.weights[1]);
  const MatrixXd none = MatrixXd::Zero(n, n);
  const MatrixXd right = -basis_gradient(reference, own, none);
  for (auto _ : state) {
    MatrixXd normal(n * n, n * n);
    MatrixXd unit = none;
    for (Index k = 0; k < n * n; ++k) {
      unit(k) = 1.0;
      normal.col(k) = (basis_gradient(reference, own, unit) + right).reshaped();
      unit(k) = 0.0;
    }
    const Eigen::VectorXd solution = normal.llt().solve(right.reshaped());
    benchmark::DoNotOptimize(solution.data());
  }
}
BENCHMARK(basis_by_the_dense_system)->ArgName("n")->RangeMultiplier(2)->Range(4, 32)->Unit(benchmark::kMicrosecond);

/// A whole merge of ten robots, with default options.
void merge_over_gl(benchmark::State& state) {
  const Problem problem(state.range(0));
  const Comm world = MpiSession::world();
  MergeInput input{.symmetry = &problem.symmetry, .seed = 1, .round = 1};
  for (int i = 0; i < kRobots; ++i) {
    input.participants.push_back(i);
    input.rows.push_back({i, &problem.weights[static_cast<std::size_t>(i)], 1.0, true, nullptr});
  }
  const std::unique_ptr<Merger> merger = make_general_linear(GeneralLinearOptions{});
  for (auto _ : state) {
    const MergeOutcome outcome = merger->merge(input, world);
    state.counters["iterations"] = outcome.iterations;
    state.counters["misfit"] = outcome.objective.back();
  }
}
BENCHMARK(merge_over_gl)->ArgName("n")->RangeMultiplier(2)->Range(4, 64)->Unit(benchmark::kMillisecond);

class Ratios final : public Medians {
  void print_ratios() override {
    for (const std::string n : {"n:4", "n:16", "n:32"}) {
      print_rate("a basis by conjugate gradients beside the dense system, " + n, "basis_by_conjugate_gradients/" + n,
                 "basis_by_the_dense_system/" + n);
    }
  }
};

}  // namespace
}  // namespace fleet

int main(int argc, char** argv) {
  const fleet::MpiSession session(argc, argv);
  benchmark::Initialize(&argc, argv);
  fleet::Ratios ratios;
  benchmark::RunSpecifiedBenchmarks(&ratios);
  return 0;
}
