#include "merge/git_rebasin.hpp"

#include <array>

#include "merge/activation_matching.hpp"
#include "merge/alignment_trace.hpp"
#include "merge/consensus.hpp"
#include "merge/weight_matching.hpp"

namespace fleet {
namespace {

struct GitRebasinOptions {
  bool activations = false;  ///< units are matched by what they compute, not by weights
  bool weighted = true;      ///< the mean counts robots by their samples, or equally
  int sweeps = kMaxSweeps;   ///< of weight matching over the fleet, at most
};

/// MergeMany by weight matching (Ainsworth et al., 2022, Algorithm 3), or all matched to one by activations.
class GitRebasin final : public Merger {
 public:
  explicit GitRebasin(const GitRebasinOptions& options) : options_(options) {}

  MergerNeeds needs() const override {
    return {.layers = options_.activations,
            .asks = options_.activations ? Questions{Question::kMapMoments} : Questions(),
            .key = "merge.git-rebasin.match",
            .exchange = options_.activations ? Exchange::kSums : Exchange::kInTurn,
            .between = options_.activations};
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    if (options_.activations) return merge_by_activations(input, comm);
    MatchedFleet matched = match_fleet(input, comm, {.max_sweeps = options_.sweeps});
    MergeOutcome outcome{.merged = aligned_mean(input, matched.elements, options_.weighted, comm)};
    outcome.elements = std::move(matched.elements);
    outcome.iterations = matched.sweeps;
    outcome.objective = std::move(matched.objective);
    outcome.series = std::move(matched.series);
    return outcome;
  }

 private:
  MergeOutcome merge_by_activations(const MergeInput& input, const Comm& comm) const {
    std::vector<GroupElement> elements(input.rows.size(), input.symmetry->identity());
    AlignmentTrace trace(input, comm);
    if (trace.wanted()) trace.record(aligned_mean(input, elements, options_.weighted, comm), elements);
    elements = match_activations(input, comm);
    MergeOutcome outcome{.merged = aligned_mean(input, elements, options_.weighted, comm)};
    trace.record(outcome.merged, elements);
    outcome.elements = std::move(elements);
    outcome.iterations = 1;
    outcome.series = trace.take();
    return outcome;
  }

  GitRebasinOptions options_;
};

constexpr std::array<std::pair<std::string_view, bool>, 2> kMatchings{{{"weights", false}, {"activations", true}}};

}  // namespace

std::unique_ptr<Merger> make_git_rebasin(SettingsReader& settings) {
  GitRebasinOptions options;
  settings.read("merge.git-rebasin.match", options.activations, Names<bool>(kMatchings),
                "What units are matched by: their weights, or what they compute on the robot's own data.");
  settings.read("merge.git-rebasin.weighted", options.weighted, "Whether robots count by their samples, or equally.");
  settings.read("merge.git-rebasin.sweeps", options.sweeps, between(1, 1e6), "Passes over the fleet, at most.");
  return std::make_unique<GitRebasin>(options);
}

}  // namespace fleet
