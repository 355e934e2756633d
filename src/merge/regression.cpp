#include "merge/regression.hpp"

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
  double ridge = 1e-4;       ///< lambda
  double head_ridge = 1e-6;  ///< the same for the last layer
  int head_iterations = 100;
};
using Body = RegressionOptions::Body;
using Head = RegressionOptions::Head;

constexpr std::array<std::pair<std::string_view, Body>, 4> kBodies{{{"best", Body::kBest},
                                                                    {"regression", Body::kRegression},
                                                                    {"average", Body::kAverage},
                                                                    {"midpoint", Body::kMidpoint}}};
constexpr std::array<std::pair<std::string_view, Head>, 3> kHeads{
    {{"loss", Head::kLoss}, {"labels", Head::kLabels}, {"outputs", Head::kOutputs}}};

/// Going through the layers in order, the merged layer is the least-squares map, over the whole fleet's data, from what
/// enters it in the merged network found so far to what leaves it in each robot's own aligned network:
///
///   W_l = argmin_W sum_i sum_x |W h(x) - z_i(x)|^2 + lambda tr(G) / d |W - W_mean|^2,    G = sum_i sum_x h h^T.
///
/// RegMean (Jin et al., 2023) regresses on each robot's own features instead. The last layer is solved for the labels or
/// the loss, which robots trained on skewed data cannot tell by their outputs.
class Regression final : public Merger {
 public:
  explicit Regression(const RegressionOptions& options) : options_(options) {}

  MergeOutcome merge(const MergeInput& input, const Comm& comm) const override {
    require(!input.maps.empty(), "layer regression: this network does not say what its layers are");
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
    outcome.elements = align_fleet(options_.align, input, comm);
    const ParamVector mean = aligned_mean(input, outcome.elements, true, comm);
    outcome.merged = mean;
    if (input.participants.size() == 1) return outcome;  // one robot is its own consensus

    std::vector<ParamVector> aligned;
    for (std::size_t i = 0; i < input.rows.size(); ++i) {
      aligned.push_back(input.symmetry->apply(outcome.elements[i], *input.rows[i].weights));
    }
    double best_loss = 0.0;
    for (ParamVector& candidate : candidates(input, mean, aligned, comm)) {
      solve_last(input, aligned, candidate, comm);
      const double loss = fleet_loss(input, candidate, comm);
      outcome.objective.push_back(loss);
      if (outcome.objective.size() > 1 && !(loss < best_loss)) continue;
      best_loss = loss;
      outcome.merged = std::move(candidate);
    }
    outcome.iterations = static_cast<int>(outcome.objective.size());
    return outcome;
  }

 private:
  /// Merged networks whose last layers are yet to be solved.
  std::vector<ParamVector> candidates(const MergeInput& input, const ParamVector& mean,
                                      const std::vector<ParamVector>& aligned, const Comm& comm) const {
    if (options_.body == Body::kAverage) return {mean};
    ParamVector regressed = mean;
    for (std::size_t map = 0; map + 1 < input.maps.size(); ++map) {
      regress(input, aligned, map, mean, regressed, comm);
    }
    if (options_.body == Body::kRegression) return {regressed};
    ParamVector midpoint = mean;
    for (std::size_t i = 0; i < midpoint.flat().size(); ++i) {
      midpoint.flat()[i] = 0.5F * (mean.flat()[i] + regressed.flat()[i]);
    }
    if (options_.body == Body::kMidpoint) return {midpoint};
    return {mean, midpoint, regressed};
  }

  MapMoments moments(const MergeInput& input, const std::vector<ParamVector>& aligned, std::size_t map, bool to_labels,
                     const ParamVector& features, const Comm& comm) const {
    return sum_moments(input, comm, input.maps[map], [&](const MergeRow& row, std::size_t i) {
      return row.data->map_moments(features, to_labels ? nullptr : &aligned[i], map);
    });
  }

  /// Solves map `map` of `merged`, those before it being solved, towards the robots' own outputs.
  void regress(const MergeInput& input, const std::vector<ParamVector>& aligned, std::size_t map,
               const ParamVector& prior, ParamVector& merged, const Comm& comm) const {
    const MapMoments sums = moments(input, aligned, map, false, merged, comm);
    input.maps[map].assign(solve_map(sums, options_.ridge, input.maps[map].matrix(prior), comm), merged);
  }

  void solve_last(const MergeInput& input, const std::vector<ParamVector>& aligned, ParamVector& merged,
                  const Comm& comm) const {
    const AffineMap& map = input.maps.back();
    const MapMoments sums =
        moments(input, aligned, input.maps.size() - 1, options_.head == Head::kLabels, merged, comm);
    map.assign(solve_map(sums, options_.head_ridge, map.matrix(merged), comm), merged);
    if (options_.head == Head::kLoss) {
      solve_head({.iterations = options_.head_iterations, .ridge = options_.head_ridge}, input, sums, merged, comm);
    }
  }

  RegressionOptions options_;
};

}  // namespace

std::unique_ptr<Merger> make_regression(SettingsReader& settings) {
  RegressionOptions options;
  settings.read("merge.regression.align", options.align, Names<Alignment>(kAlignments));
  settings.read("merge.regression.body", options.body, Names<Body>(kBodies));
  settings.read("merge.regression.head", options.head, Names<Head>(kHeads));
  settings.read("merge.regression.ridge", options.ridge, above(0));
  settings.read("merge.regression.head_ridge", options.head_ridge, above(0));
  settings.read("merge.regression.head_iterations", options.head_iterations, at_least(1));
  return std::make_unique<Regression>(options);
}

}  // namespace fleet
