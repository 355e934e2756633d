#include "merge/regression.hpp"

#include <limits>
#include <map>

#include "base/error.hpp"
#include "merge/alignment.hpp"
#include "merge/consensus.hpp"
#include "merge/fleet_moments.hpp"
#include "merge/head.hpp"

namespace fleet {
namespace {

struct RegressionOptions {
  Alignment align = Alignment::kGitRebasin;
  enum class Body {
    kBest,        ///< whichever of the others does best, by the fleet's loss on held-out data
    kRegression,  ///< layers regressed
    kAverage,     ///< the mean of the aligned robots
    kMidpoint,    ///< halfway between the two
  };
  Body body = Body::kBest;
  enum class Head {
    kLoss,     ///< minimises the loss itself
    kLabels,   ///< least squares onto labels (one-hot) or actions
    kOutputs,  ///< least squares onto the robots' own outputs: no labels are used
  };
  Head head = Head::kLoss;
  /// Over a recurrent map: first with the robots' own states, then with the merged network's.
  int recurrent_passes = 3;
  double ridge = 0.0;       ///< lambda; 0: as the loss wants it, see ridges_for()
  double head_ridge = 0.0;  ///< the same for the last layer
  int head_iterations = 100;
  bool memory = true;              ///< robots that are away are represented by what they last sent
  double memory_curvature = 0.01;  ///< of their remembered loss, per output
};
using Body = RegressionOptions::Body;
using Head = RegressionOptions::Head;

constexpr std::array<std::pair<std::string_view, Body>, 4> kBodies{{{"best", Body::kBest},
                                                                    {"regression", Body::kRegression},
                                                                    {"average", Body::kAverage},
                                                                    {"midpoint", Body::kMidpoint}}};
constexpr std::array<std::pair<std::string_view, Head>, 3> kHeads{
    {{"loss", Head::kLoss}, {"labels", Head::kLabels}, {"outputs", Head::kOutputs}}};

struct Ridges {
  double body;
  double head;
};

/// By default maps that imitate actions are drawn harder than those that classify. What leans on directions that the
/// data hardly excite fits the robots' own demonstrations and goes astray beside them, in closed loop above all, and
/// grows when it is trained on and merged many times; the curvature of the loss is that of the moments, too, of which a
/// softmax that is sure has but a small part. Collective.
Ridges ridges_for(const RegressionOptions& options, const MergeInput& input, const Comm& comm) {
  const bool classifies = std::any_of(input.rows.begin(), input.rows.end(), [](const MergeRow& row) {
    return row.participates && !row.data->is_quadratic();
  });
  const bool imitates = comm.max(classifies ? 1.0 : 0.0) == 0.0;
  return {.body = options.ridge > 0.0 ? options.ridge : (imitates ? 3e-2 : 1e-4),
          .head = options.head_ridge > 0.0 ? options.head_ridge : (imitates ? 1e-2 : 1e-6)};
}

/// What a robot has sent in the last merge that it took part in, kept on the rank that simulates it.
struct RobotMemory {
  std::vector<DoubleMatrix> inputs;  ///< per map, second moments of what enters it in the consensus of that merge
  double samples = 0.0;
};

/// A robot that is away: its loss, as far as remembered, rises from the previous consensus with the second moments of
/// its features.
class RememberedHead final : public HeadData {
 public:
  RememberedHead(const DoubleMatrix& inputs, double samples, const RowMatrix& consensus, double curvature)
      : inputs_(inputs), samples_(samples), consensus_(consensus.cast<double>()), curvature_(curvature) {}

  MapMoments moments() const override { return {inputs_, consensus_ * inputs_, samples_}; }

  void change_basis(const Eigen::MatrixXd& lower) override {
    const auto factor = lower.triangularView<Eigen::Lower>();
    const Eigen::MatrixXd half = factor.solve(Eigen::MatrixXd(inputs_));
    inputs_ = factor.solve(Eigen::MatrixXd(half.transpose()));
    consensus_ = consensus_ * factor;
  }
  void add_gradient(const RowMatrix& head, RowMatrix& gradient) override {
    gradient += (curvature_ * (head.cast<double>() - consensus_) * inputs_).cast<float>();
  }
  double curvature() const override { return curvature_; }

 private:
  DoubleMatrix inputs_;
  double samples_;
  DoubleMatrix consensus_;
  double curvature_;
};

/// One merge.
class RegressionMerge {
 public:
  RegressionMerge(const RegressionOptions& options, const MergeInput& input, const std::map<int, RobotMemory>& memory,
                  const Comm& comm)
      : options_(options),
        input_(input),
        memory_(memory),
        comm_(comm),
        ridges_(ridges_for(options, input, comm)),
        mean_(input.symmetry->layout()) {}

  MergeOutcome run() {
    MergeOutcome outcome{.merged = ParamVector(input_.symmetry->layout())};
    outcome.elements = align_fleet(options_.align, input_, comm_);
    aligned_ = aligned_rows(input_, outcome.elements);
    average();
    outcome.merged = mean_;
    if (!stands_alone()) choose(outcome);
    return outcome;
  }

 private:
  /// Of a robot that is away, what it has sent before; nullptr where there is nothing.
  const RobotMemory* remembered(std::size_t row) const {
    const auto found = memory_.find(input_.rows[row].robot);
    const bool stands_in = !input_.rows[row].participates && input_.previous != nullptr && found != memory_.end();
    return stands_in ? &found->second : nullptr;
  }

  /// One robot that nobody is remembered beside is its own consensus. Collective.
  bool stands_alone() const {
    if (input_.participants.size() > 1) return false;
    std::int64_t beside = 0;
    for (std::size_t i = 0; i < input_.rows.size(); ++i) beside += remembered(i) != nullptr ? 1 : 0;
    return comm_.sum(beside) == 0;
  }

  /// Robots that are away stand at the previous consensus, where they were last seen.
  void average() {
    std::vector<const ParamVector*> vectors;
    std::vector<double> weights = row_weights(input_, true);
    for (std::size_t i = 0; i < input_.rows.size(); ++i) {
      const RobotMemory* memory = remembered(i);
      vectors.push_back(memory != nullptr ? input_.previous : &aligned_[i]);
      if (memory != nullptr) weights[i] = memory->samples;
    }
    weighted_mean(vectors, weights, comm_, mean_);
  }

  /// The candidate that does best with a roughly solved last layer gets a well solved one.
  void choose(MergeOutcome& outcome) {
    constexpr int kRough = 5;
    std::vector<ParamVector> bodies = candidates();
    outcome.iterations = static_cast<int>(bodies.size());
    outcome.merged = bodies.front();
    double best_loss = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; bodies.size() > 1 && i < bodies.size(); ++i) {
      solve_last(bodies[i], options_.head_iterations / kRough + 1);
      const double loss = fleet_loss(input_, bodies[i], comm_);
      outcome.objective.push_back(loss);
      if (!(loss < best_loss)) continue;
      best_loss = loss;
      outcome.merged = std::move(bodies[i]);
    }
    solve_last(outcome.merged, options_.head_iterations);
  }

  /// Merged networks whose last layers are yet to be solved.
  std::vector<ParamVector> candidates() {
    if (options_.body == Body::kAverage) return {mean_};
    ParamVector regressed = mean_;
    for (std::size_t m = 0; m + 1 < input_.maps.size(); ++m) {
      const AffineMap& map = input_.maps[m];
      for (int pass = 0; pass < (map.recurrent ? options_.recurrent_passes : 1); ++pass) {
        const bool own_state = map.recurrent && pass == 0;
        const MapMoments sums = sum(m, regressed, own_state);
        write_map(map, solve_map(sums, ridges_.body, map.matrix(mean_), comm_), sums.inputs, regressed);
      }
    }
    if (options_.body == Body::kRegression) return {regressed};
    const ParamVector midpoint = halfway(mean_, regressed);
    if (options_.body == Body::kMidpoint) return {midpoint};
    return {mean_, midpoint, regressed};
  }

  /// Every map halfway between those of `a` and `b`: of normalised ones the matrices, as each is parametrised anew.
  ParamVector halfway(const ParamVector& a, const ParamVector& b) const {
    ParamVector between = a;
    for (std::size_t i = 0; i < between.flat().size(); ++i) between.flat()[i] = 0.5F * (a.flat()[i] + b.flat()[i]);
    for (std::size_t m = 0; m + 1 < input_.maps.size(); ++m) {
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
      if (const RobotMemory* memory = remembered(i)) {
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

  /// Neither starts from nor is drawn to the robots' own heads unless it must: their outputs grow in the course of
  /// training on skewed data, and from merge to merge without bound if a merged head follows them.
  void solve_last(ParamVector& merged, int iterations) const {
    const std::size_t last = input_.maps.size() - 1;
    const AffineMap& map = input_.maps[last];
    RowMatrix head = map.matrix(mean_);
    if (options_.head == Head::kOutputs) {
      return map.assign(solve_map(sum(last, merged), ridges_.head, head, comm_), merged);
    }
    head.setZero();
    std::vector<std::unique_ptr<HeadData>> parts = head_parts(merged);  // of each row; nullptr: it has no part
    const MapMoments sums = sum_moments(input_, comm_, map, [&](std::size_t i) {
      return parts[i] != nullptr ? std::optional(parts[i]->moments()) : std::nullopt;
    });
    std::erase(parts, nullptr);
    head = solve_map(sums, ridges_.head, head, comm_);
    if (options_.head == Head::kLoss) {
      head = solve_head({.iterations = iterations, .ridge = ridges_.head}, parts, sums, head, comm_);
    }
    map.assign(head, merged);
  }

  std::vector<std::unique_ptr<HeadData>> head_parts(const ParamVector& body) const {
    const std::size_t last = input_.maps.size() - 1;
    std::vector<std::unique_ptr<HeadData>> parts(input_.rows.size());
    comm_.together([&] {
      for (std::size_t i = 0; i < input_.rows.size(); ++i) {
        if (const RobotMemory* memory = remembered(i)) {
          parts[i] =
              std::make_unique<RememberedHead>(memory->inputs[last], memory->samples,
                                               input_.maps[last].matrix(*input_.previous), options_.memory_curvature);
        } else if (input_.rows[i].participates) {
          parts[i] = input_.rows[i].data->head_data(body);
        }
      }
    });
    return parts;
  }

  const RegressionOptions& options_;
  const MergeInput& input_;
  const std::map<int, RobotMemory>& memory_;
  const Comm& comm_;
  const Ridges ridges_;
  std::vector<ParamVector> aligned_;  // per row
  ParamVector mean_;
};

/// Going through the layers in order, the merged layer is the least-squares map, over the whole fleet's data, from what
/// enters it in the merged network found so far to what leaves it in each robot's own aligned network:
///
///   W_l = argmin_W sum_i sum_x |W h(x) - z_i(x)|^2 + lambda tr(G) / d |W - W_mean|^2,    G = sum_i sum_x h h^T.
///
/// RegMean (Jin et al., 2023) regresses on each robot's own features instead. The last layer is solved for the labels
/// or the loss, which robots trained on skewed data cannot tell by their outputs.
class Regression final : public Merger {
 public:
  explicit Regression(const RegressionOptions& options) : options_(options) {}

  MergerNeeds needs() const override {
    const bool solves = options_.head != Head::kOutputs;
    return {.layers = true,
            .asks = Questions{Question::kMapMoments, Question::kHeldOutLoss} |
                    (solves ? Questions{Question::kHeadData} : Questions()),
            .exchange = exchange_of(options_.align),
            .absent = options_.memory};
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

  /// What participants send for the merges that they will miss.
  void remember(const MergeInput& input, const ParamVector& consensus, const Comm& comm) override {
    std::int64_t away = 0;
    for (const MergeRow& row : input.rows) away += !row.participates && row.samples > 0.0 ? 1 : 0;
    if (!options_.memory || comm.sum(away) == 0) return;
    comm.together([&] {
      for (const MergeRow& row : input.rows) {
        if (!row.participates) continue;
        RobotMemory& memory = memory_[row.robot];
        memory.samples = row.samples;
        memory.inputs.clear();
        for (std::size_t map = 0; map < input.maps.size(); ++map) {
          memory.inputs.push_back(row.data->map_moments(consensus, consensus, map).inputs);
        }
      }
    });
  }

  void save(int robot, StateWriter& state) const override {
    if (robot == kWholeFleet) return;
    const auto found = memory_.find(robot);
    const RobotMemory memory = found != memory_.end() ? found->second : RobotMemory{};
    state.write(memory.samples);
    state.write(static_cast<std::uint64_t>(memory.inputs.size()));
    for (const DoubleMatrix& inputs : memory.inputs) {
      state.write(static_cast<std::int64_t>(inputs.rows()));
      state.write_all(std::span(inputs.data(), static_cast<std::size_t>(inputs.size())));
    }
  }

  void load(int robot, StateReader& state) override {
    if (robot == kWholeFleet) return;
    RobotMemory memory{.samples = state.read<double>()};
    const auto maps = state.read<std::uint64_t>();
    for (std::uint64_t map = 0; map < maps; ++map) {
      const auto size = static_cast<Eigen::Index>(state.read<std::int64_t>());
      DoubleMatrix& inputs = memory.inputs.emplace_back(size, size);
      state.read_into(std::span(inputs.data(), static_cast<std::size_t>(inputs.size())));
    }
    if (!memory.inputs.empty()) memory_.insert_or_assign(robot, std::move(memory));
  }

 private:
  RegressionOptions options_;
  std::map<int, RobotMemory> memory_;
};

}  // namespace

std::unique_ptr<Merger> make_regression(SettingsReader& settings) {
  RegressionOptions options;
  settings.read("merge.regression.align", options.align, Names<Alignment>(kAlignments),
                "How policies are permuted before their layers are solved.");
  settings.read("merge.regression.body", options.body, Names<Body>(kBodies),
                "Which body is kept: the regressed, the averaged, their midpoint, or the best of them.");
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

}  // namespace fleet
