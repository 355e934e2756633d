#include "merge/regression.hpp"

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "merge/alignment.hpp"
#include "merge/choice.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_moments.hpp"
#include "merge/renewed_norms.hpp"
#include "merge/solved_head.hpp"

namespace fleet {
namespace {

struct RegressionOptions {
  Alignment align = Alignment::kGitRebasin;
  enum class Body {
    kBest,        ///< whichever of the next three does best
    kRegression,  ///< layers regressed
    kAverage,     ///< the mean of the aligned robots
    kMidpoint,    ///< halfway between the two
    kOwn,         ///< one robot's own, the best of them
    kRobot,       ///< one robot as it is, its head included, the best of them
    kAny,         ///< whichever of all of them does best
    kByLoss,      ///< regressed where robots imitate, averaged where they classify
  };
  Body body = Body::kBest;
  ChoiceOptions choice;
  SolvedHeadOptions::Target head = SolvedHeadOptions::Target::kLoss;
  /// Over a recurrent map: first with the robots' own states, then with the merged network's.
  int recurrent_passes = 3;
  double ridge = 0.0;       ///< lambda; 0: as the loss wants it, see by_loss()
  double head_ridge = 0.0;  ///< the same for the last layer
  int head_iterations = 100;
  bool renew_norms = true;         ///< of the mean, before it is judged (renewed_norms.hpp)
  bool memory = true;              ///< robots that are away are represented by what they last sent
  double memory_curvature = 0.01;  ///< of their remembered loss, per output
};
using Body = RegressionOptions::Body;
using Head = SolvedHeadOptions::Target;

constexpr std::array<std::pair<std::string_view, Body>, 7> kBodies{{{"best", Body::kBest},
                                                                    {"regression", Body::kRegression},
                                                                    {"average", Body::kAverage},
                                                                    {"midpoint", Body::kMidpoint},
                                                                    {"own", Body::kOwn},
                                                                    {"robot", Body::kRobot},
                                                                    {"any", Body::kAny}}};
constexpr std::array<std::pair<std::string_view, Head>, 3> kHeads{
    {{"loss", Head::kLoss}, {"labels", Head::kLabels}, {"outputs", Head::kOutputs}}};

/// By default maps that imitate actions are drawn harder than those that classify. What leans on directions that the
/// data hardly excite fits the robots' own demonstrations and goes astray beside them, in closed loop above all, and
/// grows when it is trained on and merged many times; the curvature of the loss is that of the moments, too, of which a
/// softmax that is sure has but a small part. Collective.
RegressionOptions by_loss(RegressionOptions options, const MergeInput& input, const Comm& comm) {
  const bool imitates = fleet_imitates(input, comm);
  if (options.ridge == 0.0) options.ridge = imitates ? 3e-2 : 1e-4;
  if (options.head_ridge == 0.0) options.head_ridge = imitates ? 1e-2 : 1e-6;
  if (options.body == Body::kByLoss) options.body = imitates ? Body::kRegression : Body::kAverage;
  return options;
}

/// Layers that are solved anew need no more than a good basis: the last per cent of matching takes most of its time,
/// and the outcome is the same. A share of the objective for all groups of units, of which a step moves one.
double least_gain(const SymmetrySpec& symmetry) {
  return 3e-3 / std::max(1.0, static_cast<double>(symmetry.groups().size()));
}

/// One merge.
class RegressionMerge {
 public:
  RegressionMerge(const RegressionOptions& options, const MergeInput& input, const FleetMemory& memory,
                  const Comm& comm)
      : options_(by_loss(options, input, comm)),
        input_(input),
        memory_(memory),
        comm_(comm),
        mean_(input.symmetry->layout()) {}

  MergeOutcome run() {
    MergeOutcome outcome{.merged = ParamVector(input_.symmetry->layout())};
    outcome.elements = align_fleet(options_.align, input_, comm_, least_gain(*input_.symmetry));
    aligned_ = aligned_rows(input_, outcome.elements);
    enter_bases(input_, outcome.elements);
    average();
    outcome.merged = mean_;
    if (!stands_alone()) choose(outcome);
    return outcome;
  }

 private:
  /// A merged network, and whether its last layer is yet to be solved.
  using Visit = std::function<void(const ParamVector& candidate, bool headless)>;

  /// One robot that nobody is remembered beside is its own consensus. Collective.
  bool stands_alone() const { return input_.participants.size() == 1 && !memory_.has_any(input_, comm_); }

  /// Robots that are away stand at the previous consensus, where they were last seen.
  void average() {
    std::vector<const ParamVector*> vectors;
    std::vector<double> weights = row_weights(input_, true);
    for (std::size_t i = 0; i < input_.rows.size(); ++i) {
      const RobotMemory* memory = memory_.of(input_, i);
      vectors.push_back(memory != nullptr ? input_.previous : &aligned_[i]);
      if (memory != nullptr) weights[i] = memory->samples;
    }
    weighted_mean(input_, vectors, weights, comm_, mean_);
  }

  /// The candidate that does best with a roughly solved last layer gets a well solved one.
  void choose(MergeOutcome& outcome) {
    constexpr int kRough = 5;
    const bool only_one =
        options_.body == Body::kAverage || options_.body == Body::kMidpoint || options_.body == Body::kRegression;
    std::optional<Verdict> least;
    bool unsolved = true;
    visit_candidates([&](const ParamVector& candidate, bool headless) {
      ++outcome.iterations;
      ParamVector tried = candidate;
      if (!only_one) {
        if (headless) solve_last(tried, options_.head_iterations / kRough + 1);
        const Verdict verdict = judge(options_.choice, input_, tried, comm_);
        outcome.objective.push_back(verdict.leading(options_.choice));
        if (least && !(verdict < *least)) return;
        least = verdict;
      }
      outcome.merged = std::move(tried);
      unsolved = headless;
    });
    if (unsolved) solve_last(outcome.merged, options_.head_iterations);
  }

  /// One after another: of single robots none but the one at hand is on every rank.
  void visit_candidates(const Visit& visit) {
    const Body body = options_.body;
    const bool any = body == Body::kAny;
    const bool best = any || body == Body::kBest;
    const bool by_mean = best || body == Body::kAverage || body == Body::kMidpoint;
    const ParamVector mean = by_mean ? renewed_mean() : mean_;
    if (best || body == Body::kAverage) visit(mean, true);
    if (best || body == Body::kMidpoint || body == Body::kRegression) {
      const ParamVector regressed = regress();
      if (body != Body::kRegression) visit(halfway(mean, regressed), true);
      if (body != Body::kMidpoint) visit(regressed, true);
    }
    if (!any && body != Body::kOwn && body != Body::kRobot) return;
    visit_participants(input_, aligned_, comm_, [&](std::size_t /*place*/, const ParamVector& robot) {
      if (body != Body::kRobot) visit(robot, true);
      if (body != Body::kOwn && (input_.has_head || body == Body::kRobot)) visit(robot, false);
    });
  }

  /// What is regressed, and the midpoint, have the statistics of their own outputs already; a robot's body has its own.
  ParamVector renewed_mean() const {
    ParamVector mean = mean_;
    if (options_.renew_norms) renew_norms(input_, mean, comm_);
    return mean;
  }

  ParamVector regress() const {
    ParamVector regressed = mean_;
    for (std::size_t m = 0; m < body_maps(); ++m) {
      const AffineMap& map = input_.maps[m];
      for (int pass = 0; pass < (map.recurrent ? options_.recurrent_passes : 1); ++pass) {
        const bool own_state = map.recurrent && pass == 0;
        const MapMoments sums = sum(m, regressed, own_state);
        write_map(map, solve_map(input_, sums, options_.ridge, map.matrix(mean_), comm_), sums.inputs, regressed);
      }
    }
    return regressed;
  }

  /// Every map halfway between those of `a` and `b`: of normalised ones the matrices, as each is parametrised anew.
  ParamVector halfway(const ParamVector& a, const ParamVector& b) const {
    ParamVector between = a;
    for (std::size_t i = 0; i < between.flat().size(); ++i) between.flat()[i] = 0.5F * (a.flat()[i] + b.flat()[i]);
    for (std::size_t m = 0; m < body_maps(); ++m) {
      const AffineMap& map = input_.maps[m];
      if (!map.norm) continue;
      write_map(map, 0.5F * (map.matrix(a) + map.matrix(b)), sum(m, between).inputs, between);
    }
    return between;
  }

  /// The moments of map `map` behind the maps of `features` before it, towards the robots' own outputs; of a recurrent
  /// map in the course of states that `features` or, for `own_state`, each robot's own map leads to.
  MapMoments sum(std::size_t map, const ParamVector& features, bool own_state = false) const {
    return sum_moments(input_, comm_, input_.maps[map], [&](std::size_t i) -> std::optional<MapMoments> {
      if (const RobotMemory* memory = memory_.of(input_, i)) {
        const DoubleMatrix& inputs = memory->inputs[map];
        return MapMoments{inputs, input_.maps[map].matrix(*input_.previous).cast<double>() * inputs, memory->samples};
      }
      if (!input_.rows[i].participates) return std::nullopt;
      if (!own_state) return input_.rows[i].data->map_moments(features, aligned_[i], map);
      ParamVector mixed = features;
      input_.maps[map].assign(input_.maps[map].matrix(aligned_[i]), mixed);
      return input_.rows[i].data->map_moments(mixed, aligned_[i], map);
    });
  }

  /// All but the head, which is solved for the loss; where every robot keeps its own there is none to solve.
  [[nodiscard]] std::size_t body_maps() const { return input_.maps.size() - (input_.has_head ? 1 : 0); }

  void solve_last(ParamVector& merged, int iterations) const {
    if (!input_.has_head) return;
    if (options_.head == Head::kOutputs) {
      const std::size_t last = input_.maps.size() - 1;
      const AffineMap& map = input_.maps[last];
      map.assign(solve_map(input_, sum(last, merged), options_.head_ridge, map.matrix(mean_), comm_), merged);
      return;
    }
    const SolvedHeadOptions head{.target = options_.head,
                                 .ridge = options_.head_ridge,
                                 .iterations = iterations,
                                 .memory_curvature = options_.memory_curvature};
    solve_last_map(head, input_, memory_, merged, comm_);
  }

  const RegressionOptions options_;
  const MergeInput& input_;
  const FleetMemory& memory_;
  const Comm& comm_;
  std::vector<ParamVector> aligned_;  // per row
  ParamVector mean_;
};

/// Going through the layers in order, the merged layer is the least-squares map, over the whole fleet's data, from what
/// enters it in the merged network found so far to what leaves it in each robot's own aligned network:
///
///   W_l = argmin_W sum_i sum_x |W h(x) - z_i(x)|^2 + lambda tr(G) / d |W - W_mean|^2,    G = sum_i sum_x h h^T.
///
/// RegMean (Jin et al., 2023) regresses on each robot's own features instead. The last layer is solved for the labels
/// or the loss, which robots trained on skewed data cannot tell by their outputs. Candidates beside it are the mean,
/// the midpoint, and single robots: those that know every task are blurred by a merge of their layers.
class Regression final : public Merger {
 public:
  explicit Regression(const RegressionOptions& options) : options_(options) {}

  bool renews_norms() const override { return true; }
  MergerNeeds needs() const override {
    const bool single = options_.body == Body::kOwn || options_.body == Body::kRobot || options_.body == Body::kAny;
    const bool solves = options_.head != Head::kOutputs;
    return {.layers = true,
            .asks = Questions{Question::kMapMoments} | questions_of(options_.choice) |
                    (solves ? Questions{Question::kHeadData} : Questions()),
            .exchange = single ? Exchange::kInTurn : exchange_of(options_.align),
            .absent = options_.memory,
            .between = options_.align == Alignment::kActivations};
  }

  int private_sums(std::span<const AffineMap> maps) const override {
    const bool regresses = options_.body == Body::kRegression;
    const bool sums_alone = options_.align == Alignment::kNone && (regresses || options_.body == Body::kAverage) &&
                            options_.head == Head::kLabels && !options_.memory;
    if (!sums_alone) return 0;
    int sums = 2;  // of weights, and for the head
    for (std::size_t m = 0; regresses && m + 1 < maps.size(); ++m) {
      sums += maps[m].recurrent ? options_.recurrent_passes : 1;
    }
    return sums;
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome outcome = propose(input, comm);
    remember(input, outcome.merged, comm);
    return outcome;
  }

  MergeOutcome propose(const MergeInput& input, const Comm& comm) override {
    require(!input.maps.empty(), "layer regression: this network does not say what its layers are");
    return RegressionMerge(options_, input, memory_, comm).run();
  }

  void remember(const MergeInput& input, const ParamVector& consensus, const Comm& comm) override {
    if (options_.memory) memory_.note(input, consensus, comm);
  }

  void save(int robot, StateWriter& state) const override { memory_.save(robot, state); }
  void load(int robot, StateReader& state) override { memory_.load(robot, state); }

 private:
  RegressionOptions options_;
  FleetMemory memory_;
};

}  // namespace

std::unique_ptr<Merger> make_regression(SettingsReader& settings) {
  RegressionOptions options;
  settings.read("merge.regression.align", options.align, Names<Alignment>(kAlignments),
                "How policies are permuted before their layers are solved.");
  settings.read("merge.regression.body", options.body, Names<Body>(kBodies),
                "Which body is kept: the regressed, the averaged, their midpoint, a robot's own, or the best of them.");
  options.choice = read_choice(settings);
  options.renew_norms = read_renew_norms(settings);
  settings.read("merge.regression.head", options.head, Names<Head>(kHeads),
                "What the last layer is solved for: the loss, labels, or the robots' own outputs.");
  settings.read("merge.regression.recurrent_passes", options.recurrent_passes, between(1, 1e6),
                "Solutions of a recurrent layer: first along the robots' states, then the merged network's.");
  settings.read("merge.regression.ridge", options.ridge, at_least(0),
                "Ridge of the body's layers, relative to their mean second moment; 0: by the loss.");
  settings.read("merge.regression.head_ridge", options.head_ridge, at_least(0), "Ridge of the head; 0: by the loss.");
  settings.read("merge.regression.head_iterations", options.head_iterations, between(1, 1e6),
                "Iterations of the head's solver, at most.");
  settings.read("merge.regression.memory", options.memory,
                "Whether robots that are away are represented by what they last sent.");
  settings.read("merge.regression.memory_curvature", options.memory_curvature, above(0),
                "Curvature of the loss that absent robots are remembered by, for each output.");
  return std::make_unique<Regression>(options);
}

std::unique_ptr<Merger> make_auto(SettingsReader& settings) {
  const bool renew = read_renew_norms(settings);
  return std::make_unique<Regression>(
      RegressionOptions{.body = Body::kAny, .choice = read_choice(settings), .renew_norms = renew});
}

std::unique_ptr<Merger> make_near_regression(NearBody body, bool renew_norms, int head_iterations) {
  RegressionOptions options{
      .align = Alignment::kNone, .body = Body::kByLoss, .head_iterations = head_iterations, .renew_norms = renew_norms};
  if (body == NearBody::kAverage) options.body = Body::kAverage;
  if (body == NearBody::kRegression) options.body = Body::kRegression;
  return std::make_unique<Regression>(options);
}

}  // namespace fleet
