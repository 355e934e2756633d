#include "merge/average.hpp"

#include "merge/consensus.hpp"

namespace fleet {
namespace {

/// FedAvg (McMahan et al., 2017): theta = sum_i w_i theta_i / sum_i w_i, w_i = samples of robot i, or 1.
class Average final : public Merger {
 public:
  explicit Average(bool weighted) : weighted_(weighted) {}

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    std::vector<const ParamVector*> vectors;
    for (const MergeRow& row : input.rows) vectors.push_back(row.weights);
    MergeOutcome outcome{.merged = ParamVector(input.symmetry->layout())};
    weighted_mean(vectors, row_weights(input, weighted_), comm, outcome.merged);
    outcome.iterations = 1;
    return outcome;
  }

 private:
  bool weighted_;
};

}  // namespace

std::unique_ptr<Merger> make_average(SettingsReader& settings) {
  bool weighted = true;
  settings.read("merge.average.weighted", weighted, "Whether robots count by their samples, or equally.");
  return std::make_unique<Average>(weighted);
}

}  // namespace fleet
