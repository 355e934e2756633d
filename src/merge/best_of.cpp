#include "merge/best_of.hpp"

#include <algorithm>

#include "merge/consensus.hpp"

namespace fleet {
namespace {

/// Every candidate is judged by the participants' summed loss on their own held-out data: one scalar a robot crosses
/// the network. Ours.
class BestOf final : public Merger {
 public:
  explicit BestOf(std::vector<std::unique_ptr<Merger>> candidates) : candidates_(std::move(candidates)) {}

  MergerNeeds needs() const override {
    MergerNeeds all{.asks = {Question::kHeldOutLoss}, .key = "merge.best-of.candidates"};
    for (const std::unique_ptr<Merger>& candidate : candidates_) {
      all.symmetry = std::max(all.symmetry, candidate->needs().symmetry);
      all.layers = all.layers || candidate->needs().layers;
      all.asks = all.asks | candidate->needs().asks;
      all.exchange = std::max(all.exchange, candidate->needs().exchange);
      all.absent = all.absent || candidate->needs().absent;
    }
    return all;
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome best{.merged = ParamVector(input.symmetry->layout())};
    std::vector<double> losses;
    double least = 0.0;
    for (const std::unique_ptr<Merger>& candidate : candidates_) {
      MergeOutcome outcome = candidate->propose(input, comm);
      losses.push_back(fleet_loss(input, outcome.merged, comm));
      if (losses.size() > 1 && !(losses.back() < least)) continue;
      least = losses.back();
      best = std::move(outcome);
    }
    best.objective = std::move(losses);
    for (const std::unique_ptr<Merger>& candidate : candidates_) candidate->remember(input, best.merged, comm);
    return best;
  }

  void save(int robot, StateWriter& state) const override {
    for (const std::unique_ptr<Merger>& candidate : candidates_) candidate->save(robot, state);
  }
  void load(int robot, StateReader& state) override {
    for (const std::unique_ptr<Merger>& candidate : candidates_) candidate->load(robot, state);
  }

 private:
  std::vector<std::unique_ptr<Merger>> candidates_;
};

}  // namespace

std::unique_ptr<Merger> make_best_of(SettingsReader& settings) {
  std::vector<std::string> names{"average", "fleet-merge", "regression"};
  std::vector<std::string_view> known;
  for (const MergerEntry& entry : merger_table()) {
    if (entry.regime == Regime::kMerge && entry.name != "best-of") known.push_back(entry.name);
  }
  settings.read("merge.best-of.candidates", names, known,
                "Methods that are tried; the policy of the least loss is kept.");
  std::vector<std::unique_ptr<Merger>> candidates;
  for (const std::string& name : names) candidates.push_back(find_merger(name).make(settings));
  return std::make_unique<BestOf>(std::move(candidates));
}

}  // namespace fleet
