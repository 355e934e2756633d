#include "merge/sinkhorn_data.hpp"

#include <cmath>

#include "base/error.hpp"
#include "merge/alignment_trace.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_merge.hpp"

namespace fleet {
namespace {

/// The fleet's data as one robot's: gradients are averaged over the participants, so that no data need be shared to
/// have what the method takes for granted, a data set in common. Collective.
class PooledData final : public LocalData {
 public:
  PooledData(const MergeInput& input, std::vector<RandomStream>& streams, const Comm& comm)
      : input_(input), streams_(streams), comm_(comm) {}

  double loss_gradient(const ParamVector& at, int batch, RandomStream& /*stream*/, ParamVector& gradient) override {
    const auto robots = static_cast<int>(input_.participants.size());
    const int each = (batch + robots - 1) / robots;
    std::vector<ParamVector> gradients;
    std::vector<double> losses;
    comm_.together([&] {
      for (std::size_t i = 0; i < input_.rows.size(); ++i) {
        if (!input_.rows[i].participates) continue;
        ParamVector& own = gradients.emplace_back(at.shared_layout());
        losses.push_back(input_.rows[i].data->loss_gradient(at, each, streams_[i], own));
      }
    });
    std::vector<Comm::Term> terms;
    for (const ParamVector& own : gradients) terms.push_back({own.flat(), 1.0});
    comm_.ordered_sum(terms, gradient.flat(), 1.0 / robots);
    charge(input_, Cargo::kGradients, {.sent = model_bytes(input_), .received = model_bytes(input_)});
    charge(input_, Cargo::kScalars, {.sent = sizeof(double)});
    double loss = 0.0;
    for (const double own : comm_.all_gather(losses)) loss += own / robots;
    return loss;
  }
  Score held_out_score(const ParamVector& /*at*/) override { throw Error("the pooled data has no held-out part"); }

 private:
  const MergeInput& input_;
  std::vector<RandomStream>& streams_;
  const Comm& comm_;
};

struct SinkhornDataOptions {
  FleetMergeOptions alignment{.epochs = 3, .steps = 40, .learning_rate = 0.1, .sinkhorn_iterations = 20};
  double noise = 0.1;    ///< deviation of what is added to the identity where an alignment starts
  bool weighted = true;  ///< the merge counts robots by their samples, or equally; alignments count them equally
};

/// Participants in turn, in random order, are aligned to the mean of the others by gradient descent on relaxed
/// permutations that start anew, near the identity, each time; the loss is taken halfway (Pena et al., Section 3.2).
/// Every rank follows every alignment, since the gradient is the fleet's.
class SinkhornData final : public Merger {
 public:
  explicit SinkhornData(const SinkhornDataOptions& options) : options_(options) {}

  MergerNeeds needs() const override {
    return {
        .asks = {Question::kLossGradient, Question::kHeldOutScore}, .exchange = Exchange::kAllModels, .between = true};
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    const SymmetrySpec& symmetry = *input.symmetry;
    const auto round = static_cast<std::uint64_t>(input.round);
    RandomStream fleet_stream(input.seed, Purpose::kMerge, 0, round);
    std::vector<RandomStream> streams;
    for (const MergeRow& row : input.rows) {
      streams.emplace_back(input.seed, Purpose::kAlignment, static_cast<std::uint64_t>(row.robot), round);
    }
    PooledData pooled(input, streams, comm);
    std::vector<GroupElement> elements(input.participants.size(), symmetry.identity());
    const std::vector<ParamVector> models = all_participants(input, comm);
    std::vector<ParamVector> moved = models;
    std::vector<std::size_t> order(models.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;

    std::vector<double> relaxed_errors(models.size(), 0.0);
    AlignmentTrace trace(input, comm);
    MergeOutcome best{.merged = ParamVector(symmetry.layout())};
    const int sweeps = models.size() > 1 ? options_.alignment.epochs : 0;
    double best_score = 0.0;
    for (int sweep = 0;; ++sweep) {
      const std::vector<GroupElement> mine = by_row(input, elements, symmetry.identity());
      const ParamVector merged = aligned_mean(input, mine, options_.weighted, comm);
      trace.record(merged, mine, by_row(input, relaxed_errors, 0.0));
      best.objective.push_back(fleet_score(input, merged, comm));
      if (sweep == 0 || best.objective.back() > best_score) {
        best_score = best.objective.back();
        best.merged = merged;
        best.elements = mine;
      }
      if (sweep == sweeps) break;
      fleet_stream.shuffle(std::span(order));
      for (const std::size_t i : order) {
        const ParamVector others = mean_but(moved, i);
        Aligner aligner(options_.alignment, symmetry, models[i], near_identity(symmetry, fleet_stream));
        for (int t = 0; t < options_.alignment.steps; ++t) aligner.step(0.5, others, pooled, fleet_stream);
        elements[i] = aligner.project();
        if (trace.wanted()) relaxed_errors[i] = doubly_stochastic_error(aligner.relaxed());
        moved[i] = symmetry.apply(elements[i], models[i]);
      }
    }
    best.iterations = sweeps;
    best.series = trace.take();
    return best;
  }

 private:
  /// The mean of all models but one.
  static ParamVector mean_but(std::span<const ParamVector> models, std::size_t but) {
    ParamVector mean(models.front().shared_layout());
    const auto count = static_cast<float>(models.size() - 1);
    for (std::size_t i = 0; i < models.size(); ++i) {
      if (i == but) continue;
      for (std::size_t k = 0; k < mean.flat().size(); ++k) mean.flat()[k] += models[i].flat()[k] / count;
    }
    return mean;
  }

  RelaxedElement near_identity(const SymmetrySpec& symmetry, RandomStream& stream) const {
    RelaxedElement start = to_matrices(symmetry.identity());
    for (RowMatrix& p : start) {
      for (Eigen::Index i = 0; i < p.size(); ++i) p.data()[i] += static_cast<float>(options_.noise * stream.normal());
    }
    return start;
  }

  /// What belongs to the participants, for the rows of this rank; `other` for those that do not take part.
  template <class Value>
  static std::vector<Value> by_row(const MergeInput& input, const std::vector<Value>& values, const Value& other) {
    std::vector<Value> rows(input.rows.size(), other);
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      for (std::size_t p = 0; p < values.size(); ++p) {
        if (input.participants[p] == input.rows[i].robot) rows[i] = values[p];
      }
    }
    return rows;
  }

  SinkhornDataOptions options_;
};

}  // namespace

std::unique_ptr<Merger> make_sinkhorn_data(SettingsReader& settings) {
  SinkhornDataOptions options;
  settings.read("merge.sinkhorn-data.sweeps", options.alignment.epochs, between(1, 1e6), "Passes over the fleet.");
  settings.read("merge.sinkhorn-data.steps", options.alignment.steps, between(1, 1e6),
                "Gradient steps of each alignment.");
  settings.read("merge.sinkhorn-data.batch_size", options.alignment.batch_size, between(1, 100'000),
                "Samples of each gradient step.");
  settings.read("merge.sinkhorn-data.learning_rate", options.alignment.learning_rate, above(0),
                "Learning rate of the alignments, by Adam.");
  settings.read("merge.sinkhorn-data.temperature", options.alignment.temperature, above(0),
                "Temperature of the Sinkhorn projection: small is near a permutation.");
  settings.read("merge.sinkhorn-data.sinkhorn_iterations", options.alignment.sinkhorn_iterations, between(1, 1e6),
                "Normalisations of rows and columns in the Sinkhorn projection.");
  settings.read("merge.sinkhorn-data.noise", options.noise, at_least(0),
                "Deviation of the noise in which an alignment starts, beside the identity.");
  settings.read("merge.sinkhorn-data.weighted", options.weighted, "Whether robots count by their samples, or equally.");
  return std::make_unique<SinkhornData>(options);
}

}  // namespace fleet
