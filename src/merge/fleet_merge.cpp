#include "merge/fleet_merge.hpp"

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "merge/alignment_trace.hpp"
#include "merge/consensus.hpp"
#include "merge/linear_assignment.hpp"
#include "merge/sinkhorn.hpp"
#include "merge/weight_matching.hpp"
#include "model/optimizer.hpp"

namespace fleet {

using Parameterization = FleetMergeOptions::Parameterization;
using Point = FleetMergeOptions::Point;

struct Aligner::Group {
  RowMatrix scores;  // X; of the literal step P - eta dL/dP
  Sinkhorn sinkhorn;
  Optimizer optimizer;
};

Aligner::Aligner(const FleetMergeOptions& options, const SymmetrySpec& symmetry, const ParamVector& weights,
                 const GroupElement& start, double share)
    : options_(options),
      share_(static_cast<float>(share)),
      start_(symmetry.apply(start, weights)),
      action_(symmetry, weights),
      mixed_(weights.shared_layout()),
      mixed_gradient_(weights.shared_layout()) {
  const OptimizerOptions adam{.learning_rate = options.learning_rate};
  relaxed_ = to_matrices(start);
  gradient_ = relaxed_;
  for (const RowMatrix& hard : relaxed_) {
    groups_.push_back({static_cast<float>(options.start_scale) * hard,
                       Sinkhorn(options.temperature, options.sinkhorn_iterations),
                       Optimizer(adam, static_cast<std::size_t>(hard.size()))});
  }
}

Aligner::~Aligner() = default;

float Aligner::mix(const ParamVector& moved, const ParamVector& reference, RandomStream& stream) {
  const std::span<float> mixed = mixed_.flat();
  if (options_.point == Point::kAverage) {
    for (std::size_t i = 0; i < mixed.size(); ++i) {
      mixed[i] = reference.flat()[i] + share_ * (moved.flat()[i] - start_.flat()[i]);
    }
    return share_;
  }
  const auto lambda = static_cast<float>(stream.uniform());
  for (std::size_t i = 0; i < mixed.size(); ++i) {
    mixed[i] = lambda * moved.flat()[i] + (1.0F - lambda) * reference.flat()[i];
  }
  return lambda;
}

void Aligner::step(const ParamVector& reference, LocalData& data, RandomStream& stream) {
  const bool literal = options_.parameterization == Parameterization::kLiteral;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (!literal) relaxed_[g] = groups_[g].sinkhorn.forward(groups_[g].scores);
    gradient_[g].setZero();
  }
  const float slope = mix(action_.apply(relaxed_), reference, stream);
  const double loss = data.loss_gradient(mixed_, options_.batch_size, stream, mixed_gradient_);
  require(std::isfinite(loss), "the loss became ", loss, " while aligning");
  action_.adjoint(mixed_gradient_, gradient_);
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    Group& group = groups_[g];
    gradient_[g] *= slope;
    if (literal) {
      group.scores = relaxed_[g] - static_cast<float>(options_.learning_rate) * gradient_[g];  // line 10
      relaxed_[g] = group.sinkhorn.forward(group.scores);                                      // line 11
      continue;
    }
    const RowMatrix& scores_gradient = group.sinkhorn.backward(gradient_[g]);
    const auto size = static_cast<std::size_t>(scores_gradient.size());
    group.optimizer.step({group.scores.data(), size}, {scores_gradient.data(), size});
  }
}

GroupElement Aligner::project() const {
  GroupElement element;
  for (const Group& group : groups_) element.push_back(maximum_assignment(group.scores));
  return element;
}

namespace {

constexpr std::array<std::pair<std::string_view, FleetMergeOptions::Start>, 2> kStarts{
    {{"identity", FleetMergeOptions::Start::kIdentity}, {"git-rebasin", FleetMergeOptions::Start::kGitRebasin}}};

constexpr std::array<std::pair<std::string_view, Parameterization>, 2> kParameterizations{
    {{"sinkhorn", Parameterization::kSinkhorn}, {"literal", Parameterization::kLiteral}}};
constexpr std::array<std::pair<std::string_view, Point>, 2> kPoints{
    {{"interpolation", Point::kInterpolation}, {"average", Point::kAverage}}};

class FleetMerge final : public Merger {
 public:
  explicit FleetMerge(const FleetMergeOptions& options) : options_(options) {}

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    const SymmetrySpec& symmetry = *input.symmetry;
    MergeOutcome best{.merged = ParamVector(symmetry.layout())};
    std::vector<GroupElement> hard(input.rows.size(), symmetry.identity());  // line 3
    if (options_.start == FleetMergeOptions::Start::kGitRebasin) hard = match_fleet(input, comm).elements;
    std::vector<RandomStream> streams;
    for (const MergeRow& row : input.rows) {
      streams.emplace_back(input.seed, Purpose::kAlignment, static_cast<std::uint64_t>(row.robot),
                           static_cast<std::uint64_t>(input.round));
    }
    RandomStream fleet_stream(input.seed, Purpose::kMerge, 0, static_cast<std::uint64_t>(input.round));

    const std::vector<double> weights = row_weights(input, options_.weighted);
    double total = 0.0;
    for (const double weight : comm.all_gather(weights)) total += weight;

    const int epochs = input.participants.size() > 1 ? options_.epochs : 0;  // one robot is its own reference
    double best_score = 0.0;
    AlignmentTrace trace(input, comm);
    std::vector<double> relaxed_errors(hard.size(), 0.0);
    for (int epoch = 0;; ++epoch) {
      const ParamVector reference =
          aligned_mean(input, hard, options_.weighted, comm);  // line 5; line 13 after the last epoch
      trace.record(reference, hard, relaxed_errors);
      const bool last = epoch == epochs;
      const double score = options_.keep_best || last ? fleet_score(input, reference, comm) : 0.0;
      if (epoch == 0 || (options_.keep_best ? score > best_score : last)) {
        best_score = score;
        best.merged = reference;
        best.elements = hard;
      }
      best.objective.push_back(score);
      if (last) break;
      const std::vector<int> subset = draw_subset(input.participants, fleet_stream);  // line 6
      comm.together([&] {
        for (std::size_t i = 0; i < input.rows.size(); ++i) {  // line 7
          if (!std::binary_search(subset.begin(), subset.end(), input.rows[i].robot)) continue;
          Aligner aligner(options_, symmetry, *input.rows[i].weights, hard[i], weights[i] / total);
          for (int t = 0; t < options_.steps; ++t) aligner.step(reference, *input.rows[i].data, streams[i]);  // line 8
          hard[i] = aligner.project();                                                                        // line 12
          if (trace.wanted()) relaxed_errors[i] = doubly_stochastic_error(aligner.relaxed());
        }
      });
    }
    best.iterations = epochs;
    best.series = trace.take();
    return best;
  }

 private:
  std::vector<int> draw_subset(const std::vector<int>& participants, RandomStream& stream) const {
    const auto population = static_cast<int>(participants.size());
    const int count = std::clamp(static_cast<int>(std::lround(options_.subset * population)), 1, population);
    std::vector<int> subset;
    for (const int member : stream.sample(population, count)) {
      subset.push_back(participants[static_cast<std::size_t>(member)]);
    }
    return subset;
  }

  FleetMergeOptions options_;
};

}  // namespace

std::unique_ptr<Merger> make_fleet_merge(const FleetMergeOptions& options) {
  return std::make_unique<FleetMerge>(options);
}

std::unique_ptr<Merger> make_fleet_merge(SettingsReader& settings) {
  FleetMergeOptions options;
  settings.read("merge.fleet-merge.start", options.start, Names<FleetMergeOptions::Start>(kStarts));
  if (options.start == FleetMergeOptions::Start::kGitRebasin) options.start_scale = 3.0;
  settings.read("merge.fleet-merge.parameterization", options.parameterization,
                Names<Parameterization>(kParameterizations));
  settings.read("merge.fleet-merge.point", options.point, Names<Point>(kPoints));
  settings.read("merge.fleet-merge.epochs", options.epochs, at_least(1));
  settings.read("merge.fleet-merge.steps", options.steps, at_least(1));
  settings.read("merge.fleet-merge.batch_size", options.batch_size, at_least(1));
  settings.read("merge.fleet-merge.learning_rate", options.learning_rate, above(0));
  settings.read("merge.fleet-merge.temperature", options.temperature, above(0));
  settings.read("merge.fleet-merge.sinkhorn_iterations", options.sinkhorn_iterations, at_least(1));
  settings.read("merge.fleet-merge.start_scale", options.start_scale, above(0));
  settings.read("merge.fleet-merge.subset", options.subset, {.low = 0, .high = 1, .open_low = true});
  settings.read("merge.fleet-merge.keep_best", options.keep_best);
  settings.read("merge.fleet-merge.weighted", options.weighted);
  return make_fleet_merge(options);
}

}  // namespace fleet
