#include "merge/general_linear.hpp"

#include <Eigen/Cholesky>
#include <array>
#include <limits>

#include "base/error.hpp"
#include "merge/basis_fit.hpp"
#include "merge/consensus.hpp"

namespace fleet {
namespace {

using Eigen::MatrixXd;
using Solver = GeneralLinearOptions::Solver;

constexpr double kSettled = 1e-10;    // relative change of the reference in one iteration
constexpr int kInnerIterations = 30;  // a basis need not be the best for a reference that moves on

/// Sums over the fleet at bases P_i, from which the reference follows.
struct AlignedSums {
  MatrixXd gram;         ///< sum w_i P_i^T P_i
  LinearBlocks moments;  ///< sum w_i P_i^T A_i P_i, sum w_i P_i^T B_i, sum w_i C_i P_i
  double weight = 0.0;   ///< sum w_i
  double misfit = 0.0;   ///< sum w_i g_i: the objective (G.14)
};

void append(const MatrixXd& matrix, std::vector<double>& message) {
  message.insert(message.end(), matrix.data(), matrix.data() + matrix.size());
}

void take(const double*& next, MatrixXd& matrix) {
  matrix += Eigen::Map<const MatrixXd>(next, matrix.rows(), matrix.cols());
  next += matrix.size();
}

/// The alternation for one group: reference and bases on their way to each other.
class BasisAlternation {
 public:
  BasisAlternation(const GeneralLinearOptions& options, const LinearView& view, const MergeInput& input,
                   const Comm& comm)
      : options_(options), input_(input), comm_(comm) {
    const std::vector<double> counts = row_weights(input, options.weighted);
    std::vector<double> first;
    double curvature = 0.0;
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      if (!input.rows[i].participates) continue;
      Row row{.index = i, .own = view.blocks(*input.rows[i].weights), .weight = counts[i]};
      row.basis = MatrixXd::Identity(row.own.a.rows(), row.own.a.rows());
      row.anchor = input.rows[i].robot == input.participants.front();
      if (row.anchor) append_blocks(row.own, first);
      curvature = std::max(curvature, squared_norm(row.own) + 3.0 * row.own.a.squaredNorm());
      rows_.push_back(std::move(row));
    }
    rate_ = options.learning_rate / std::max(comm.max(curvature), std::numeric_limits<double>::min());
    reference_ = view.blocks(ParamVector(input.symmetry->layout()));  // zero, for the shapes
    // Of the first participant: the mean of copies in opposite bases would be a saddle.
    const std::vector<double> everywhere = comm.all_gather(first);
    const double* next = everywhere.data();
    take_blocks(next, reference_);
  }

  /// Appends the objective of every iteration.
  void run(std::vector<double>& objective) {
    for (int iteration = 0; iteration < options_.iterations; ++iteration) {
      for (Row& row : rows_) {
        if (!row.anchor) move_basis(row);
      }
      const AlignedSums sums = add_up();
      objective.push_back(sums.misfit);
      const LinearBlocks before = reference_;
      move_reference(sums);
      if (squared_change(before) <= kSettled * kSettled * squared_norm(before)) break;
    }
  }

  [[nodiscard]] const LinearBlocks& merged() const { return reference_; }
  /// Per row of the input; the identity where it does not take part.
  [[nodiscard]] std::vector<RowMatrix> bases(std::size_t rows) const {
    const Eigen::Index n = reference_.a.rows();
    std::vector<RowMatrix> all(rows, RowMatrix::Identity(n, n));
    for (const Row& row : rows_) all[row.index] = row.basis.cast<float>();
    return all;
  }

 private:
  struct Row {
    std::size_t index;  // in the input
    LinearBlocks own;
    double weight = 0.0;
    MatrixXd basis;       // P_i: the state is P_i times that in the common basis
    bool anchor = false;  // P_i = I is held: the objective falls as all P_i shrink together
  };

  void move_basis(Row& row) const {
    if (options_.solver == Solver::kLeastSquares) {
      fit_basis(reference_, row.own, row.basis, options_.iterations == 1 ? 0 : kInnerIterations);
    } else {
      row.basis -= 2.0 * rate_ * basis_gradient(reference_, row.own, row.basis);
    }
  }

  /// The least-squares reference is A = G^-1 sum P^T A_i P, B = G^-1 sum P^T B_i, C = mean C_i P with G = sum P^T P.
  void move_reference(const AlignedSums& sums) {
    if (options_.solver == Solver::kLeastSquares) {
      const Eigen::LLT<MatrixXd> gram(sums.gram);
      reference_ = {gram.solve(sums.moments.a), gram.solve(sums.moments.b), sums.moments.c / sums.weight};
      return;
    }
    const double rate = 2.0 * rate_ / sums.weight;
    reference_.a -= rate * (sums.gram * reference_.a - sums.moments.a);
    reference_.b -= rate * (sums.gram * reference_.b - sums.moments.b);
    reference_.c -= rate * (sums.weight * reference_.c - sums.moments.c);
  }

  /// In the order of robots, in double precision: the same bits for any number of ranks. Collective.
  AlignedSums add_up() const {
    std::vector<double> message;
    for (const Row& row : rows_) {
      const MatrixXd weighted = row.weight * row.basis.transpose();
      append(weighted * row.basis, message);
      append_blocks({weighted * row.own.a * row.basis, weighted * row.own.b, row.weight * row.own.c * row.basis},
                    message);
      message.push_back(row.weight);
      message.push_back(row.weight * basis_misfit(reference_, row.own, row.basis));
    }
    const std::vector<double> all = comm_.all_gather(message);
    const std::size_t numbers = all.size() / input_.participants.size();  // of a robot; all but two are weights
    charge(input_, Cargo::kWeights,
           {.sent = (numbers - 2) * sizeof(double), .received = (numbers - 2) * sizeof(double)});
    charge(input_, Cargo::kScalars, {.sent = 2 * sizeof(double)});
    AlignedSums sums{.gram = MatrixXd::Zero(reference_.a.rows(), reference_.a.rows()), .moments = reference_};
    for (MatrixXd* matrix : {&sums.moments.a, &sums.moments.b, &sums.moments.c}) matrix->setZero();
    for (const double* next = all.data(); next != all.data() + all.size();) {
      take(next, sums.gram);
      take_blocks(next, sums.moments);
      sums.weight += *next++;
      sums.misfit += *next++;
    }
    return sums;
  }

  static void append_blocks(const LinearBlocks& blocks, std::vector<double>& message) {
    for (const MatrixXd* matrix : {&blocks.a, &blocks.b, &blocks.c}) append(*matrix, message);
  }
  static void take_blocks(const double*& next, LinearBlocks& blocks) {
    for (MatrixXd* matrix : {&blocks.a, &blocks.b, &blocks.c}) take(next, *matrix);
  }
  static double squared_norm(const LinearBlocks& blocks) {
    return blocks.a.squaredNorm() + blocks.b.squaredNorm() + blocks.c.squaredNorm();
  }
  double squared_change(const LinearBlocks& since) const {
    return squared_norm({reference_.a - since.a, reference_.b - since.b, reference_.c - since.c});
  }

  const GeneralLinearOptions& options_;
  const MergeInput& input_;
  const Comm& comm_;
  std::vector<Row> rows_;  // this rank's participants
  LinearBlocks reference_;
  double rate_ = 0.0;
};

class GeneralLinear final : public Merger {
 public:
  explicit GeneralLinear(const GeneralLinearOptions& options) : options_(options) {}

  MergerNeeds needs() const override {
    return {.symmetry = GroupKind::kGeneralLinear, .exchange = Exchange::kAllModels, .whole = true};
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
    outcome.bases.resize(input.rows.size());
    std::vector<const ParamVector*> vectors;
    for (const MergeRow& row : input.rows) vectors.push_back(row.weights);
    weighted_mean(input, vectors, row_weights(input, options_.weighted), comm,
                  outcome.merged);  // what no group acts on
    for (std::size_t group = 0; group < input.symmetry->groups().size(); ++group) {
      const LinearView view(*input.symmetry, group);
      BasisAlternation alternation(options_, view, input, comm);
      alternation.run(outcome.objective);
      view.assign(alternation.merged(), outcome.merged);
      const std::vector<RowMatrix> bases = alternation.bases(input.rows.size());
      for (std::size_t i = 0; i < bases.size(); ++i) outcome.bases[i].push_back(bases[i]);
    }
    outcome.iterations = static_cast<int>(outcome.objective.size());
    return outcome;
  }

 private:
  GeneralLinearOptions options_;
};

constexpr std::array<std::pair<std::string_view, Solver>, 2> kSolvers{
    {{"least-squares", Solver::kLeastSquares}, {"gradient", Solver::kGradient}}};

}  // namespace

std::unique_ptr<Merger> make_general_linear(const GeneralLinearOptions& options) {
  return std::make_unique<GeneralLinear>(options);
}

std::unique_ptr<Merger> make_general_linear(SettingsReader& settings) {
  GeneralLinearOptions options;
  settings.read("merge.gl.solver", options.solver, Names<Solver>(kSolvers),
                "Exact alternating least squares, or the paper's gradient steps.");
  if (options.solver == Solver::kGradient) options.iterations = 3000;
  settings.read("merge.gl.iterations", options.iterations, between(1, 1e6), "Rounds of the solver.");
  settings.read("merge.gl.learning_rate", options.learning_rate, above(0), "Step size of the gradient solver.");
  settings.read("merge.gl.weighted", options.weighted, "Whether robots count by their samples, or equally.");
  return make_general_linear(options);
}

}  // namespace fleet
