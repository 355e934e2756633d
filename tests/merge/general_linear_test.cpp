#include "merge/general_linear.hpp"

#include <gtest/gtest.h>

#include <Eigen/Dense>

#include "base/error.hpp"
#include "comm/placement.hpp"
#include "merge/basis_fit.hpp"
#include "merge/methods.hpp"
#include "toy_fleet.hpp"
#include "values.hpp"

namespace fleet {
namespace {

using Eigen::Index;
using Eigen::MatrixXd;
using Solver = GeneralLinearOptions::Solver;

constexpr int kStates = 3;
constexpr int kObservations = 5;
constexpr int kInputs = 2;

/// A linear recurrence with an offset on its state and one on its output, which no basis touches.
SymmetrySpec linear_symmetry() {
  auto layout = std::make_shared<ParamLayout>();
  layout->add("C", {kInputs, kStates});
  layout->add("A", {kStates, kStates});
  layout->add("offset", {kInputs});
  layout->add("B", {kStates, kObservations});
  layout->add("bias", {kStates});
  return {layout,
          {{.name = "state", .size = kStates, .kind = GroupKind::kGeneralLinear}},
          {{.tensor = 0, .axis = 1, .group = 0, .dual = true},
           {.tensor = 1, .axis = 0, .group = 0},
           {.tensor = 1, .axis = 1, .group = 0, .dual = true},
           {.tensor = 3, .axis = 0, .group = 0},
           {.tensor = 4, .axis = 0, .group = 0}}};
}

MatrixXd gaussian(Index rows, Index columns, RandomStream& stream) {
  MatrixXd matrix(rows, columns);
  for (double& value : matrix.reshaped()) value = stream.normal();
  return matrix;
}

LinearBlocks random_blocks(Index n, RandomStream& stream) {
  return {gaussian(n, n, stream) / std::sqrt(static_cast<double>(n)), gaussian(n, kObservations, stream),
          gaussian(kInputs, n, stream)};
}

/// Robots spread over ranks; robot i holds weights of its own.
class LinearFleet {
 public:
  LinearFleet(std::vector<ParamVector> weights, const Comm& comm)
      : symmetry_(linear_symmetry()), weights_(std::move(weights)) {
    const Placement placement{.robots = static_cast<int>(weights_.size()), .ranks = comm.size()};
    begin_ = placement.begin(comm.rank());
    end_ = placement.end(comm.rank());
  }

  MergeInput input(std::vector<int> participants) {
    MergeInput input{.symmetry = &symmetry_, .participants = std::move(participants), .seed = 3, .round = 1};
    for (int i = begin_; i < end_; ++i) {
      const bool takes_part = std::count(input.participants.begin(), input.participants.end(), i) > 0;
      input.rows.push_back({i, &weights_[static_cast<std::size_t>(i)], 10.0 + i, takes_part, nullptr});
    }
    return input;
  }

 private:
  SymmetrySpec symmetry_;
  std::vector<ParamVector> weights_;
  int begin_;
  int end_;
};

ParamVector random_weights(std::uint64_t robot) {
  ParamVector weights(linear_symmetry().layout());
  RandomStream stream(1, Purpose::kTest, robot);
  for (float& w : weights.flat()) w = static_cast<float>(stream.normal());
  return weights;
}

/// `count` robots that compute the same function, each in a basis of its own: plus or minus the identity, give or take
/// `spread`.
std::vector<ParamVector> disguised(const ParamVector& weights, int count, double spread) {
  const LinearView view(linear_symmetry(), 0);
  const LinearBlocks blocks = view.blocks(weights);
  RandomStream stream(2, Purpose::kTest);
  std::vector<ParamVector> all(static_cast<std::size_t>(count), weights);
  for (std::size_t i = 1; i < all.size(); ++i) {
    MatrixXd p = spread * gaussian(kStates, kStates, stream);
    p += MatrixXd::Identity(kStates, kStates) * (i % 2 == 0 ? 1.0 : -1.0);
    const MatrixXd inverse = p.inverse();
    view.assign({inverse * blocks.a * p, inverse * blocks.b, blocks.c * p}, all[i]);
  }
  return all;
}

/// The impulse response C A^k B of lag 0 to 6: what a linear recurrence computes, whatever its basis.
MatrixXd responses(const ParamVector& weights) {
  LinearBlocks blocks = LinearView(linear_symmetry(), 0).blocks(weights);
  MatrixXd all(7 * kInputs, blocks.b.cols());
  for (int lag = 0; lag < 7; ++lag) {
    all.middleRows(lag * kInputs, kInputs) = blocks.c * blocks.b;
    blocks.b = (blocks.a * blocks.b).eval();
  }
  return all;
}

double blocks_norm(const ParamVector& weights) {
  return basis_misfit(LinearView(linear_symmetry(), 0).blocks(weights),
                      LinearView(linear_symmetry(), 0).blocks(ParamVector(linear_symmetry().layout())),
                      MatrixXd::Identity(kStates, kStates));
}

TEST(BasisFit, solves_the_normal_equations) {
  for (const Index n : {1, 2, 4, 9}) {
    RandomStream stream(static_cast<std::uint64_t>(n), Purpose::kTest);
    const LinearBlocks reference = random_blocks(n, stream);
    const LinearBlocks own = random_blocks(n, stream);
    // [K^T K + B B^T (x) I + I (x) C_i^T C_i] vec P = vec(B_i B^T + C_i^T C),  K = A^T (x) I - I (x) A_i.
    const MatrixXd identity = MatrixXd::Identity(n, n);
    const auto kronecker = [&](const MatrixXd& x, const MatrixXd& y) {
      MatrixXd product(n * n, n * n);
      for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j) product.block(i * n, j * n, n, n) = x(i, j) * y;
      }
      return product;
    };
    const MatrixXd k = kronecker(reference.a.transpose(), identity) - kronecker(identity, own.a);
    const MatrixXd normal = k.transpose() * k + kronecker(reference.b * reference.b.transpose(), identity) +
                            kronecker(identity, own.c.transpose() * own.c);
    const MatrixXd right = own.b * reference.b.transpose() + own.c.transpose() * reference.c;
    const Eigen::VectorXd exact = normal.ldlt().solve(right.reshaped());
    MatrixXd basis = identity;
    fit_basis(reference, own, basis);
    EXPECT_TRUE(basis.isApprox(exact.reshaped(n, n), 1e-9)) << n;
    EXPECT_LT(basis_gradient(reference, own, basis).norm(), 1e-9 * right.norm()) << n;
  }
}

TEST(BasisFit, gradient_agrees_with_finite_differences) {
  RandomStream stream(5, Purpose::kTest);
  const LinearBlocks reference = random_blocks(kStates, stream);
  const LinearBlocks own = random_blocks(kStates, stream);
  const MatrixXd at = gaussian(kStates, kStates, stream);
  const MatrixXd gradient = 2.0 * basis_gradient(reference, own, at);
  for (Index i = 0; i < at.size(); ++i) {
    MatrixXd above = at;
    MatrixXd below = at;
    above(i) += 1e-5;
    below(i) -= 1e-5;
    const double slope = (basis_misfit(reference, own, above) - basis_misfit(reference, own, below)) / 2e-5;
    EXPECT_NEAR(gradient(i), slope, 1e-6 * gradient.norm());
  }
}

TEST(BasisFit, finds_the_basis_of_a_disguised_policy) {
  RandomStream stream(6, Purpose::kTest);
  const LinearBlocks reference = random_blocks(kStates, stream);
  const MatrixXd p = gaussian(kStates, kStates, stream);
  const MatrixXd inverse = p.inverse();
  const LinearBlocks own{p * reference.a * inverse, p * reference.b, reference.c * inverse};
  MatrixXd basis = MatrixXd::Identity(kStates, kStates);
  fit_basis(reference, own, basis);
  EXPECT_TRUE(basis.isApprox(p, 1e-8));
  EXPECT_LT(basis_misfit(reference, own, p), 1e-20);
}

TEST(BasisFit, every_iteration_lowers_the_misfit) {
  RandomStream stream(7, Purpose::kTest);
  const LinearBlocks reference = random_blocks(9, stream);
  const LinearBlocks own = random_blocks(9, stream);
  double before = basis_misfit(reference, own, MatrixXd::Identity(9, 9));
  for (int most = 1; most < 20; ++most) {
    MatrixXd basis = MatrixXd::Identity(9, 9);
    EXPECT_EQ(fit_basis(reference, own, basis, most), most);
    EXPECT_LT(basis_misfit(reference, own, basis), before);
    before = basis_misfit(reference, own, basis);
  }
}

TEST(BasisFit, of_policies_that_do_nothing_stays_where_it_is) {
  const LinearBlocks nothing{MatrixXd::Zero(2, 2), MatrixXd::Zero(2, 3), MatrixXd::Zero(1, 2)};
  MatrixXd basis = MatrixXd::Identity(2, 2);
  EXPECT_EQ(fit_basis(nothing, nothing, basis), 0);
  EXPECT_EQ(basis, MatrixXd::Identity(2, 2));
}

class EverySolver : public testing::TestWithParam<Solver> {
 protected:
  [[nodiscard]] GeneralLinearOptions options() const {
    return {.solver = GetParam(), .iterations = GetParam() == Solver::kGradient ? 2000 : 100};
  }
  Comm world_ = MpiSession::world();
};

TEST_P(EverySolver, disguised_copies_of_a_policy_merge_to_the_policy) {
  const bool exact =
      GetParam() == Solver::kLeastSquares;  // gradient steps are slow to undo what is far from orthogonal
  const double tolerance = exact ? 1e-5 : 4e-2;
  const ParamVector original = random_weights(0);
  LinearFleet fleet(disguised(original, 6, exact ? 0.5 : 0.1), world_);
  const MergeOutcome outcome = make_general_linear(options())->merge(fleet.input(everyone(6)), world_);
  EXPECT_TRUE(responses(outcome.merged).isApprox(responses(original), tolerance));
  EXPECT_LT(outcome.objective.back(), 5e-3 * blocks_norm(original));
  // Anchored to the first participant, not only what it computes is recovered but its weights.
  for (std::size_t w = 0; w < original.flat().size(); ++w) {
    EXPECT_NEAR(outcome.merged.flat()[w], original.flat()[w], tolerance);
  }
}

TEST_P(EverySolver, the_objective_falls) {
  std::vector<ParamVector> weights;
  for (std::uint64_t i = 0; i < 5; ++i) weights.push_back(random_weights(i));
  LinearFleet fleet(weights, world_);
  const MergeOutcome outcome = make_general_linear(options())->merge(fleet.input(everyone(5)), world_);
  for (std::size_t i = 1; i < outcome.objective.size(); ++i) {
    EXPECT_LE(outcome.objective[i], outcome.objective[i - 1] * (1.0 + 1e-9)) << i;
  }
}

TEST_P(EverySolver, gives_the_same_bits_on_any_number_of_ranks) {
  std::vector<ParamVector> weights;
  for (std::uint64_t i = 0; i < 7; ++i) weights.push_back(random_weights(i));
  const Comm alone = world_.split(world_.rank());
  LinearFleet spread(weights, world_);
  LinearFleet together(weights, alone);
  GeneralLinearOptions few = options();
  few.iterations = 40;
  const MergeOutcome apart = make_general_linear(few)->merge(spread.input({1, 2, 4, 6}), world_);
  const MergeOutcome whole = make_general_linear(few)->merge(together.input({1, 2, 4, 6}), alone);
  EXPECT_EQ(values(apart.merged), values(whole.merged));
  EXPECT_EQ(apart.objective, whole.objective);
}

TEST_P(EverySolver, brings_every_policy_to_every_rank_as_it_says) {
  if (world_.size() == 1) GTEST_SKIP() << "nothing crosses ranks";
  GeneralLinearOptions once = options();
  once.iterations = 1;
  const std::unique_ptr<Merger> merger = make_general_linear(once);
  const auto bytes = [&](int robots) {
    std::vector<ParamVector> weights;
    for (int i = 0; i < robots; ++i) weights.push_back(random_weights(static_cast<std::uint64_t>(i)));
    LinearFleet fleet(weights, world_);
    const std::uint64_t before = world_.bytes_moved();
    (void)merger->merge(fleet.input(everyone(robots)), world_);
    return static_cast<double>(world_.bytes_moved() - before);
  };
  EXPECT_EQ(merger->needs().exchange, Exchange::kAllModels);
  EXPECT_GE((bytes(48) - bytes(16)) / 32.0, 4.0 * static_cast<double>(linear_symmetry().layout()->size()));
}

TEST_P(EverySolver, one_robot_merges_to_itself) {
  LinearFleet fleet({random_weights(4)}, world_);
  EXPECT_EQ(values(make_general_linear(options())->merge(fleet.input({0}), world_).merged), values(random_weights(4)));
}

TEST_P(EverySolver, those_who_do_not_take_part_do_not_matter) {
  std::vector<ParamVector> weights;
  for (std::uint64_t i = 0; i < 4; ++i) weights.push_back(random_weights(i));
  LinearFleet fleet(weights, world_);
  for (const std::size_t absent : {0U, 2U}) {
    std::fill(weights[absent].flat().begin(), weights[absent].flat().end(), NAN);
  }
  LinearFleet broken(weights, world_);
  EXPECT_EQ(values(make_general_linear(options())->merge(fleet.input({1, 3}), world_).merged),
            values(make_general_linear(options())->merge(broken.input({1, 3}), world_).merged));
}

INSTANTIATE_TEST_SUITE_P(Table, EverySolver, testing::Values(Solver::kLeastSquares, Solver::kGradient),
                         [](const auto& tested) {
                           return tested.param == Solver::kGradient ? "gradient" : "least_squares";
                         });

TEST(GeneralLinear, one_iteration_brings_everybody_to_the_first_participant) {
  const Comm world = MpiSession::world();
  const ParamVector original = random_weights(0);
  LinearFleet fleet(disguised(original, 4, 0.5), world);
  const MergeOutcome outcome = make_general_linear({.iterations = 1})->merge(fleet.input(everyone(4)), world);
  EXPECT_EQ(outcome.iterations, 1);
  EXPECT_TRUE(responses(outcome.merged).isApprox(responses(original), 1e-5));
}

TEST(GeneralLinear, bases_lead_from_every_robot_to_the_consensus) {
  const Comm world = MpiSession::world();
  const std::vector<ParamVector> weights = disguised(random_weights(0), 5, 0.5);
  LinearFleet fleet(weights, world);
  const MergeInput input = fleet.input({0, 1, 2, 4});
  const MergeOutcome outcome = make_general_linear(GeneralLinearOptions{})->merge(input, world);
  const LinearView view(linear_symmetry(), 0);
  const LinearBlocks merged = view.blocks(outcome.merged);
  ASSERT_EQ(outcome.bases.size(), input.rows.size());
  for (std::size_t i = 0; i < input.rows.size(); ++i) {
    const MatrixXd p = outcome.bases[i].front().cast<double>();
    if (input.rows[i].robot == 0 || !input.rows[i].participates) {
      EXPECT_EQ(p, MatrixXd::Identity(kStates, kStates));
      continue;
    }
    const LinearBlocks own = view.blocks(*input.rows[i].weights);
    EXPECT_TRUE((own.a * p).isApprox(p * merged.a, 1e-5));
    EXPECT_TRUE(own.b.isApprox(p * merged.b, 1e-5));
    EXPECT_TRUE((own.c * p).isApprox(merged.c, 1e-5));
  }
}

TEST(GeneralLinear, what_no_basis_touches_is_averaged) {
  const Comm world = MpiSession::world();
  std::vector<ParamVector> weights{random_weights(0), random_weights(1)};
  for (std::size_t i = 0; i < 2; ++i) {
    for (float& offset : weights[i].tensor(2)) offset = static_cast<float>(i);
  }
  LinearFleet fleet(weights, world);
  for (const bool weighted : {true, false}) {  // robots have 10 and 11 samples
    const MergeOutcome outcome = make_general_linear({.weighted = weighted})->merge(fleet.input({0, 1}), world);
    EXPECT_FLOAT_EQ(outcome.merged.tensor(2)[0], weighted ? 11.0F / 21.0F : 0.5F);
  }
}

TEST(GeneralLinear, networks_whose_units_can_only_be_permuted_are_refused) {
  const Comm world = MpiSession::world();
  toy::ToyFleet fleet(3, world);
  try {
    (void)make_general_linear(GeneralLinearOptions{})->merge(fleet.input({0, 1, 2}), world);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("\"hidden\" can only be permuted"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace fleet
