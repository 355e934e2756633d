#include "merge/fleet_merge.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/error.hpp"
#include "merge/alignment_trace.hpp"
#include "merge/consensus.hpp"

namespace fleet {
namespace {

using Parameterization = FleetMergeOptions::Parameterization;
using Point = FleetMergeOptions::Point;
using Projection = FleetMergeOptions::Projection;

constexpr std::array<std::pair<std::string_view, Alignment>, 3> kStarts{{{"identity", Alignment::kNone},
                                                                         {"git-rebasin", Alignment::kGitRebasin},
                                                                         {"activations", Alignment::kActivations}}};
constexpr std::array<std::pair<std::string_view, Parameterization>, 2> kParameterizations{
    {{"sinkhorn", Parameterization::kSinkhorn}, {"literal", Parameterization::kLiteral}}};
constexpr std::array<std::pair<std::string_view, Point>, 3> kPoints{
    {{"interpolation", Point::kInterpolation}, {"average", Point::kAverage}, {"simplex", Point::kSimplex}}};
constexpr std::array<std::pair<std::string_view, Projection>, 2> kProjections{
    {{"hard", Projection::kHard}, {"soft", Projection::kSoft}}};

/// Where robot i's loss is taken, step by step: lambda P(theta_i) + (1 - lambda) other.
class LossPoint {
 public:
  /// `moved`: P(theta_i) as it is in the reference, of which it is a part `share`. `models`: every participant's, for
  /// kSimplex, with robot i's at `own`.
  LossPoint(Point point, const ParamVector& reference, const ParamVector& moved, double share,
            std::span<const ParamVector> models, std::size_t own)
      : point_(point), reference_(reference), share_(share), models_(models), own_(own), other_(reference) {
    if (point != Point::kAverage || share >= 1.0) return;
    const auto part = static_cast<float>(share);
    for (std::size_t k = 0; k < other_.flat().size(); ++k) {
      other_.flat()[k] = (reference.flat()[k] - part * moved.flat()[k]) / (1.0F - part);
    }
  }

  /// The next point's lambda.
  double draw(RandomStream& stream) {
    if (point_ == Point::kAverage) return share_;
    if (point_ == Point::kInterpolation) return stream.uniform();
    const std::vector<double> weights = stream.dirichlet(1.0, models_.size());
    const double rest = 1.0 - weights[own_];
    std::fill(other_.flat().begin(), other_.flat().end(), 0.0F);
    for (std::size_t j = 0; j < models_.size(); ++j) {
      if (j == own_ || rest <= 0.0) continue;
      const auto part = static_cast<float>(weights[j] / rest);
      for (std::size_t k = 0; k < other_.flat().size(); ++k) other_.flat()[k] += part * models_[j].flat()[k];
    }
    return weights[own_];
  }
  [[nodiscard]] const ParamVector& other() const { return point_ == Point::kInterpolation ? reference_ : other_; }

 private:
  Point point_;
  const ParamVector& reference_;
  double share_;
  std::span<const ParamVector> models_;
  std::size_t own_;
  ParamVector other_;
};

/// One merge.
class FleetMergeRun {
 public:
  FleetMergeRun(const FleetMergeOptions& options, const MergeInput& input, const Comm& comm)
      : options_(options),
        input_(input),
        comm_(comm),
        fleet_stream_(input.seed, Purpose::kMerge, 0, static_cast<std::uint64_t>(input.round)),
        weights_(row_weights(input, options.weighted)),
        relaxed_errors_(input.rows.size(), 0.0) {
    for (const MergeRow& row : input.rows) {
      streams_.emplace_back(input.seed, Purpose::kAlignment, static_cast<std::uint64_t>(row.robot),
                            static_cast<std::uint64_t>(input.round));
    }
    for (const double weight : comm.all_gather(weights_)) total_ += weight;
  }

  MergeOutcome run() {
    MergeOutcome best{.merged = ParamVector(input_.symmetry->layout())};
    const std::vector<GroupElement> start = align_fleet(options_.start, input_, comm_);  // line 3
    for (std::size_t i = 0; i < start.size(); ++i) {
      SignedParts parts = parts_of(start[i]);
      if (parts.negations != input_.symmetry->identity()) {
        negated_.emplace(i, input_.symmetry->apply(parts.negations, *input_.rows[i].weights));
      }
      moved_.push_back(input_.symmetry->apply(parts.permutations, model(i)));
      soft_.push_back(to_matrices(parts.permutations));
      negations_.push_back(std::move(parts.negations));
      hard_.push_back(std::move(parts.permutations));
    }

    const int epochs = input_.participants.size() > 1 ? options_.epochs : 0;  // one robot is its own reference
    double best_score = 0.0;
    AlignmentTrace trace(input_, comm_);
    for (int epoch = 0;; ++epoch) {
      const ParamVector reference = mean();  // line 5; line 13 after the last epoch
      trace.record(reference, elements(), relaxed_errors_);
      const bool last = epoch == epochs;
      const double score = options_.keep_best || last ? fleet_score(input_, reference, comm_) : 0.0;
      if (epoch == 0 || (options_.keep_best ? score > best_score : last)) {
        best_score = score;
        best.merged = reference;
        best.elements = elements();
      }
      best.objective.push_back(score);
      if (last) break;
      align(reference);
    }
    best.iterations = epochs;
    best.series = trace.take();
    return best;
  }

 private:
  /// A row's weights, units negated as its start has them: relaxed permutations have no signs.
  const ParamVector& model(std::size_t row) const {
    const auto negated = negated_.find(row);
    return negated == negated_.end() ? *input_.rows[row].weights : negated->second;
  }

  /// What brings the rows' own weights into the common basis.
  std::vector<GroupElement> elements() const {
    std::vector<GroupElement> all;
    for (std::size_t i = 0; i < hard_.size(); ++i) all.push_back(input_.symmetry->compose(hard_[i], negations_[i]));
    return all;
  }

  ParamVector mean() const {
    std::vector<const ParamVector*> vectors;
    for (const ParamVector& row : moved_) vectors.push_back(&row);
    ParamVector mean(input_.symmetry->layout());
    weighted_mean(input_, vectors, weights_, comm_, mean);
    return mean;
  }

  void align(const ParamVector& reference) {
    const std::vector<int> subset = draw_subset();  // line 6
    std::vector<ParamVector> models;
    if (options_.point == Point::kSimplex) models = all_participants(input_, moved_, comm_);
    comm_.together([&] {
      for (std::size_t i = 0; i < input_.rows.size(); ++i) {  // line 7
        const int robot = input_.rows[i].robot;
        if (!std::binary_search(subset.begin(), subset.end(), robot)) continue;
        const auto own = std::lower_bound(input_.participants.begin(), input_.participants.end(), robot);
        align(i, LossPoint(options_.point, reference, moved_[i], weights_[i] / total_, models,
                           static_cast<std::size_t>(own - input_.participants.begin())));
      }
    });
  }

  void align(std::size_t row, LossPoint point) {
    const ParamVector& weights = model(row);
    Aligner aligner(options_, *input_.symmetry, weights, soft_[row]);
    for (int t = 0; t < options_.steps; ++t) {  // line 8
      const double lambda = point.draw(streams_[row]);
      aligner.step(lambda, point.other(), *input_.rows[row].data, streams_[row]);
    }
    hard_[row] = aligner.project();  // line 12
    if (input_.wants_series) relaxed_errors_[row] = doubly_stochastic_error(aligner.relaxed());
    if (options_.projection == Projection::kHard) {
      soft_[row] = to_matrices(hard_[row]);
      moved_[row] = input_.symmetry->apply(hard_[row], weights);
    } else {
      soft_[row] = aligner.relaxed();
      moved_[row] = RelaxedAction(*input_.symmetry, weights).apply(soft_[row]);
    }
  }

  std::vector<int> draw_subset() {
    const auto population = static_cast<int>(input_.participants.size());
    const int count = std::clamp(static_cast<int>(std::lround(options_.subset * population)), 1, population);
    std::vector<int> subset;
    for (const int member : fleet_stream_.sample(population, count)) {
      subset.push_back(input_.participants[static_cast<std::size_t>(member)]);
    }
    return subset;
  }

  const FleetMergeOptions& options_;
  const MergeInput& input_;
  const Comm& comm_;
  RandomStream fleet_stream_;
  std::vector<RandomStream> streams_;  // per row, as are the next six
  std::vector<double> weights_;
  std::vector<GroupElement> negations_;
  std::vector<GroupElement> hard_;
  std::vector<RelaxedElement> soft_;
  std::vector<ParamVector> moved_;
  std::vector<double> relaxed_errors_;          // of P before it is projected
  std::map<std::size_t, ParamVector> negated_;  // weights of the rows whose start negates any units
  double total_ = 0.0;
};

class FleetMerge final : public Merger {
 public:
  explicit FleetMerge(const FleetMergeOptions& options) : options_(options) {}

  MergerNeeds needs() const override {
    const bool layers = options_.start == Alignment::kActivations;
    return {.layers = layers,
            .asks = Questions{Question::kLossGradient, Question::kHeldOutScore} | questions_of(options_.start),
            .key = layers ? "merge.fleet-merge.start" : "merge.method",
            .exchange = options_.point == Point::kSimplex ? Exchange::kAllModels : exchange_of(options_.start),
            .between = true};
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    return FleetMergeRun(options_, input, comm).run();
  }

 private:
  FleetMergeOptions options_;
};

}  // namespace

std::unique_ptr<Merger> make_fleet_merge(const FleetMergeOptions& options) {
  return std::make_unique<FleetMerge>(options);
}

std::unique_ptr<Merger> make_fleet_merge(SettingsReader& settings) {
  FleetMergeOptions options;
  settings.read("merge.fleet-merge.start", options.start, Names<Alignment>(kStarts),
                "Where alignments start: at the identity, or aligned by another method.");
  if (options.start != Alignment::kNone) options.start_scale = 3.0;
  settings.read("merge.fleet-merge.parameterization", options.parameterization,
                Names<Parameterization>(kParameterizations),
                "Gradients through the Sinkhorn iterations, or steps on P as the paper prints them.");
  settings.read("merge.fleet-merge.point", options.point, Names<Point>(kPoints),
                "Where between robot and reference the loss is taken.");
  settings.read("merge.fleet-merge.projection", options.projection, Names<Projection>(kProjections),
                "Whether P becomes a permutation after each epoch, or stays doubly stochastic.");
  settings.read("merge.fleet-merge.epochs", options.epochs, between(1, 1e6),
                "E of Algorithm 1: how often the reference is averaged anew.");
  settings.read("merge.fleet-merge.steps", options.steps, between(1, 1e6),
                "T of Algorithm 1: gradient steps of each robot in an epoch.");
  settings.read("merge.fleet-merge.batch_size", options.batch_size, between(1, 100'000),
                "Samples of each gradient step.");
  settings.read("merge.fleet-merge.learning_rate", options.learning_rate, above(0), "Step size of the alignments.");
  settings.read("merge.fleet-merge.temperature", options.temperature, above(0),
                "Temperature of the Sinkhorn projection: small is near a permutation.");
  settings.read("merge.fleet-merge.sinkhorn_iterations", options.sinkhorn_iterations, between(1, 1e6),
                "Normalisations of rows and columns in the Sinkhorn projection.");
  settings.read("merge.fleet-merge.start_scale", options.start_scale, above(0),
                "How hard P is when an epoch starts: 1 almost even, 5 almost a permutation.");
  settings.read("merge.fleet-merge.subset", options.subset, {.low = 0, .high = 1, .open_low = true},
                "Share of the participants that are aligned in an epoch (line 6).");
  settings.read("merge.fleet-merge.keep_best", options.keep_best,
                "Whether the epoch of the best held-out score is kept, or the last.");
  settings.read("merge.fleet-merge.weighted", options.weighted,
                "Whether robots count by their samples in the reference, or equally.");
  return make_fleet_merge(options);
}

}  // namespace fleet
