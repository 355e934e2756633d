#include "merge/rounds_after.hpp"

#include <array>
#include <optional>

#include "base/error.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_moments.hpp"
#include "merge/known_sums.hpp"
#include "merge/precision.hpp"
#include "merge/renewed_norms.hpp"

namespace fleet {
namespace {

using RoundKind = RoundsAfterOptions::Kind;
constexpr std::array<std::pair<std::string_view, RoundKind>, 3> kRoundKinds{
    {{"auto", RoundKind::kAuto}, {"plain", RoundKind::kPlain}, {"consolidated", RoundKind::kConsolidated}}};

constexpr std::array<std::pair<std::string_view, NearBody>, 3> kNearBodies{
    {{"auto", NearBody::kAuto}, {"average", NearBody::kAverage}, {"regression", NearBody::kRegression}}};

std::unique_ptr<Merger> sending(std::unique_ptr<Merger> method, Precision precision) {
  return precision == Precision::kFloat32 ? std::move(method) : with_precision(std::move(method), precision);
}

/// The others' loss around `center` as a robot knows it: its gradient and curvature, means over their samples, times r.
class OthersLoss final : public GradientTerm {
 public:
  OthersLoss(const ParamVector& center, std::span<const AffineMap> maps, const Curvature& fleet, const Curvature& own)
      : center_(center), maps_(maps), gradient_(center.shared_layout()) {
    const double others = fleet.samples - own.samples;  // the mean over them, r times, is their sum by own.samples
    for (std::size_t w = 0; w < gradient_.flat().size(); ++w) {
      gradient_.flat()[w] =
          static_cast<float>((static_cast<double>(fleet.gradient.flat()[w]) - own.gradient.flat()[w]) / own.samples);
    }
    for (std::size_t m = 0; m < maps.size(); ++m) {
      const double rows = fleet.maps[m].rows - own.maps[m].rows;
      if (rows <= 0.0 || others <= 0.0) continue;
      factors_.push_back({(fleet.maps[m].inputs - own.maps[m].inputs).cast<float>() / static_cast<float>(rows),
                          (fleet.maps[m].outputs - own.maps[m].outputs).cast<float>() / static_cast<float>(own.samples),
                          m});
    }
  }

  void add_to(const ParamVector& at, ParamVector& gradient) const override {
    for (std::size_t w = 0; w < gradient_.flat().size(); ++w) gradient.flat()[w] += gradient_.flat()[w];
    for (const Factors& f : factors_) {
      const AffineMap& map = maps_[f.map];
      const RowMatrix moved = map.plain_matrix(at) - map.plain_matrix(center_);
      map.add(f.outputs * moved * f.inputs, gradient);
    }
  }

 private:
  struct Factors {
    RowMatrix inputs;   // mean over rows
    RowMatrix outputs;  // sum over rows, by the robot's own samples
    std::size_t map;
  };
  const ParamVector& center_;
  std::span<const AffineMap> maps_;
  ParamVector gradient_;
  std::vector<Factors> factors_;
};

/// What enters map `m`: of one that sees the data it has been sent, and handed back, but once.
DoubleMatrix sum_entering(const MergeInput& input, const std::vector<Curvature>& own, std::size_t m, const Comm& comm) {
  const AffineMap& map = input.maps[m];
  std::vector<int> robots;
  for (const MergeRow& row : input.rows) {
    if (row.participates) robots.push_back(row.robot);
  }
  std::vector<std::vector<double>> halves;
  for (const Curvature& part : own) halves.push_back(half_of(part.maps[m].inputs));
  DoubleMatrix sum = sum_inputs(input, comm, map, robots, std::move(halves), false);
  to_single(flat(sum));
  const bool is_news = !map.sees_data || input.known == nullptr || input.known->hand_back({m});
  if (is_news) charge(input, Cargo::kMoments, {.received = symmetric_bytes(sum.rows())});
  return sum;
}

DoubleMatrix sum_leaving(const MergeInput& input, const std::vector<Curvature>& own, std::size_t m, const Comm& comm) {
  std::vector<std::vector<double>> halves;
  std::vector<Comm::DoubleTerm> terms;
  for (const Curvature& part : own) to_single(halves.emplace_back(half_of(part.maps[m].outputs)));
  for (const std::vector<double>& half : halves) terms.push_back({half, 1.0});
  const Eigen::Index size = input.maps[m].outputs(*input.symmetry->layout());
  DoubleMatrix sum(size, size);
  std::vector<double> total = half_of(sum);
  comm.ordered_sum(terms, total);
  to_single(total);
  from_half(total, sum);
  charge(input, Cargo::kMoments, {.sent = symmetric_bytes(size), .received = symmetric_bytes(size)});
  return sum;
}

/// The sum over the participants, on every rank; adds up the parts of `own`, one of each of this rank's. They send the
/// gradient in `precision`, which `own` is in. Collective.
Curvature sum_curvatures(const MergeInput& input, const std::vector<Curvature>& own, Precision precision,
                         const Comm& comm) {
  Curvature total{.gradient = ParamVector(input.symmetry->layout())};
  std::vector<Comm::Term> gradients;
  std::vector<double> counts;
  for (const Curvature& part : own) {
    gradients.push_back({part.gradient.flat(), 1.0});
    counts.push_back(part.samples);
    for (const MapCurvature& map : part.maps) counts.push_back(map.rows);
  }
  comm.ordered_sum(gradients, total.gradient.flat());
  const ParamLayout& layout = *input.symmetry->layout();
  charge(input, Cargo::kGradients,
         {.sent = weight_bytes(precision, layout, input.maps), .received = model_bytes(input)});
  for (std::size_t m = 0; m < input.maps.size(); ++m) {
    total.maps.push_back({.inputs = sum_entering(input, own, m, comm), .outputs = sum_leaving(input, own, m, comm)});
  }
  const std::vector<double> all = comm.all_gather(counts);
  charge(input, Cargo::kScalars, {.sent = (1 + input.maps.size()) * sizeof(double)});
  for (std::size_t i = 0; i < all.size(); i += 1 + input.maps.size()) {
    total.samples += all[i];
    for (std::size_t m = 0; m < input.maps.size(); ++m) total.maps[m].rows += all[i + 1 + m];
  }
  return total;
}

class WithRoundsAfter final : public Merger {
 public:
  WithRoundsAfter(std::unique_ptr<Merger> method, const RoundsAfterOptions& options)
      : method_(std::move(method)),
        options_(options),
        again_(sending(make_near_regression(options.body, options.renew_norms, options.head_iterations),
                       options.precision)) {}

  MergerNeeds needs() const override {
    MergerNeeds needs = method_->needs();
    if (!needs.layers) needs.key = "merge.rounds_after";
    needs.layers = true;
    needs.asks = needs.asks | again_->needs().asks | Questions{Question::kSteps};
    if (options_.kind != RoundKind::kPlain) needs.asks = needs.asks | Questions{Question::kCurvature};
    needs.absent = true;
    needs.center = needs.center || again_->needs().center;
    return needs;
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    if (input.after > 0) return short_round(input, comm);
    MergeOutcome outcome = method_->merge(input, comm);
    again_->remember(input, outcome.merged, comm);
    return outcome;
  }

  std::unique_ptr<GradientTerm> local_term(int robot, const ParamVector* consensus) const override {
    return method_->local_term(robot, consensus);
  }
  void save(int robot, StateWriter& state) const override {
    method_->save(robot, state);
    again_->save(robot, state);
  }
  void load(int robot, StateReader& state) override {
    method_->load(robot, state);
    again_->load(robot, state);
  }

 private:
  MergeOutcome short_round(const MergeInput& input, const Comm& comm) {
    require(input.previous != nullptr, "a round after a merge has no merged policy to start from");
    const bool imitates = fleet_imitates(input, comm);
    const int in_a_round = options_.steps_in_round(imitates);
    const LocalSteps steps{
        .steps = in_a_round,
        .before = static_cast<std::int64_t>(input.after - 1) * in_a_round,
        .total = static_cast<std::int64_t>(options_.rounds) * in_a_round,
        .learning_rate = options_.learning_rate > 0.0 ? options_.learning_rate : (imitates ? 5e-4 : 1e-3)};
    const bool consolidated =
        options_.kind == RoundKind::kConsolidated || (options_.kind == RoundKind::kAuto && !imitates);
    const std::vector<ParamVector> reached =
        take_steps(input, steps, consolidated && input.participants.size() > 1, comm);
    MergeInput moved = input;
    moved.center = input.previous;
    auto next = reached.begin();
    for (MergeRow& row : moved.rows) row.weights = row.participates ? &*next++ : input.previous;
    if (input.cost != nullptr) {
      input.cost->steps += static_cast<std::uint64_t>(in_a_round) * input.participants.size();
    }
    MergeOutcome outcome = again_->merge(moved, comm);
    outcome.elements.clear();  // of what the robots came to, not of their own weights
    return outcome;
  }

  /// What this rank's participants come to.
  [[nodiscard]] std::vector<ParamVector> take_steps(const MergeInput& input, const LocalSteps& steps, bool consolidated,
                                                    const Comm& comm) const {
    const ParamVector& start = *input.previous;
    const auto draw = static_cast<std::uint64_t>(input.round);
    std::vector<Curvature> own;  // of this rank's participants
    std::optional<Curvature> fleet;
    if (consolidated) {
      comm.together([&] {
        for (const MergeRow& row : input.rows) {
          if (!row.participates) continue;
          ParamVector& gradient = own.emplace_back(row.data->curvature(start, draw)).gradient;
          round_weights(options_.precision, gradient.layout(), input.maps, gradient.flat());
        }
      });
      fleet = sum_curvatures(input, own, options_.precision, comm);
    }
    std::vector<ParamVector> reached;
    comm.together([&] {
      for (const MergeRow& row : input.rows) {
        if (!row.participates) continue;
        std::optional<OthersLoss> others;
        if (fleet) others.emplace(start, input.maps, *fleet, own[reached.size()]);
        reached.push_back(row.data->take_steps(start, steps, draw, others ? &*others : nullptr));
      }
    });
    return reached;
  }

  std::unique_ptr<Merger> method_;
  RoundsAfterOptions options_;
  std::unique_ptr<Merger> again_;
};

}  // namespace

RoundsAfterOptions read_rounds_after(SettingsReader& settings, int rounds) {
  RoundsAfterOptions options{.rounds = rounds};
  settings.read("merge.rounds_after", options.rounds, between(0, 1e6),
                "Short rounds after the last merge, each with some local steps and another merge.");
  settings.read("merge.after.kind", options.kind, Names<RoundKind>(kRoundKinds),
                "What robots minimise in a round after the merge: their own loss, or a model of the others' too.");
  settings.read("merge.after.steps", options.steps, between(0, 1e6),
                "Gradient steps of a robot in a round after the merge; 0: by the loss.");
  settings.read("merge.after.learning_rate", options.learning_rate, at_least(0),
                "Learning rate of Adam in the rounds after the merge; 0: by the loss.");
  settings.read("merge.after.body", options.body, Names<NearBody>(kNearBodies),
                "How the layers before the last are merged in the rounds after the merge.");
  settings.read("merge.after.head_iterations", options.head_iterations, between(1, 1e6),
                "Iterations of the last layer's solver in a round after the merge, at most.");
  return options;
}

std::unique_ptr<Merger> make_merger(const MergerEntry& entry, SettingsReader& settings, int& rounds) {
  std::unique_ptr<Merger> merger = entry.make(settings);
  if (merger == nullptr) return merger;
  const Precision precision = read_precision(settings);
  merger = sending(renewing(std::move(merger), settings), precision);
  RoundsAfterOptions options = read_rounds_after(settings, entry.rounds_after);
  options.precision = precision;
  options.renew_norms = read_renew_norms(settings);
  rounds = options.rounds;
  if (rounds > 0) merger = with_rounds_after(std::move(merger), options);
  const Questions asks = merger->needs().asks;
  const bool asks_for_data = asks.contains(Question::kMapMoments) || asks.contains(Question::kCurvature);
  return asks_for_data ? with_known_sums(std::move(merger)) : std::move(merger);
}

std::unique_ptr<Merger> with_rounds_after(std::unique_ptr<Merger> method, const RoundsAfterOptions& options) {
  return std::make_unique<WithRoundsAfter>(std::move(method), options);
}

}  // namespace fleet
