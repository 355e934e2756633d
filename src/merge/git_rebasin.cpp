#include "merge/git_rebasin.hpp"

#include <array>

#include "merge/activation_matching.hpp"
#include "merge/alignment_trace.hpp"
#include "merge/consensus.hpp"
#include "merge/weight_matching.hpp"

namespace fleet {
namespace {

/// MergeMany by weight matching (Ainsworth et al., 2022, Algorithm 3), or all matched to one by activations.
class GitRebasin final : public Merger {
 public:
  GitRebasin(bool activations, bool weighted) : activations_(activations), weighted_(weighted) {}

  MergerNeeds needs() const override { return {.layers = activations_, .key = "merge.git-rebasin.match"}; }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    if (activations_) return merge_by_activations(input, comm);
    MatchedFleet matched = match_fleet(input, comm);
    MergeOutcome outcome{.merged = aligned_mean(input, matched.elements, weighted_, comm)};
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
    if (trace.wanted()) trace.record(aligned_mean(input, elements, weighted_, comm), elements);
    elements = match_activations(input, comm);
    MergeOutcome outcome{.merged = aligned_mean(input, elements, weighted_, comm)};
    trace.record(outcome.merged, elements);
    outcome.elements = std::move(elements);
    outcome.iterations = 1;
    outcome.series = trace.take();
    return outcome;
  }

  bool activations_;
  bool weighted_;
};

constexpr std::array<std::pair<std::string_view, bool>, 2> kMatchings{{{"weights", false}, {"activations", true}}};

}  // namespace

std::unique_ptr<Merger> make_git_rebasin(SettingsReader& settings) {
  bool activations = false;
  bool weighted = true;
  settings.read("merge.git-rebasin.match", activations, Names<bool>(kMatchings));
  settings.read("merge.git-rebasin.weighted", weighted);
  return std::make_unique<GitRebasin>(activations, weighted);
}

}  // namespace fleet
