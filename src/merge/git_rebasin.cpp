#include "merge/git_rebasin.hpp"

#include "merge/consensus.hpp"
#include "merge/weight_matching.hpp"

namespace fleet {
namespace {

/// MergeMany by weight matching (Ainsworth et al., 2022, Algorithm 3).
class GitRebasin final : public Merger {
 public:
  explicit GitRebasin(bool weighted) : weighted_(weighted) {}

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MatchedFleet matched = match_fleet(input, comm);
    MergeOutcome outcome{.merged = aligned_mean(input, matched.elements, weighted_, comm)};
    outcome.elements = std::move(matched.elements);
    outcome.iterations = matched.sweeps;
    outcome.objective = std::move(matched.objective);
    outcome.series = std::move(matched.series);
    return outcome;
  }

 private:
  bool weighted_;
};

}  // namespace

std::unique_ptr<Merger> make_git_rebasin(SettingsReader& settings) {
  bool weighted = true;
  settings.read("merge.git-rebasin.weighted", weighted);
  return std::make_unique<GitRebasin>(weighted);
}

}  // namespace fleet
