#include "merge/best_of.hpp"

#include <algorithm>
#include <optional>

#include "merge/choice.hpp"
#include "merge/consensus.hpp"
#include "merge/renewed_norms.hpp"

namespace fleet {
namespace {

/// Every candidate is judged by the participants, on their own held-out data or in trials: a few scalars a robot cross
/// the network. Ours.
class BestOf final : public Merger {
 public:
  BestOf(std::vector<std::unique_ptr<Merger>> candidates, const ChoiceOptions& choice)
      : candidates_(std::move(candidates)), choice_(choice) {}

  bool renews_norms() const override { return true; }
  MergerNeeds needs() const override {
    MergerNeeds all{.asks = questions_of(choice_), .key = "merge.best-of.candidates"};
    for (const std::unique_ptr<Merger>& candidate : candidates_) {
      all.symmetry = std::max(all.symmetry, candidate->needs().symmetry);
      all.layers = all.layers || candidate->needs().layers;
      all.asks = all.asks | candidate->needs().asks;
      all.exchange = std::max(all.exchange, candidate->needs().exchange);
      all.absent = all.absent || candidate->needs().absent;
      all.whole = all.whole || candidate->needs().whole;
      all.between = all.between || candidate->needs().between;
    }
    return all;
  }

  MergeOutcome merge(const MergeInput& input, const Comm& comm) override {
    MergeOutcome best{.merged = ParamVector(input.symmetry->layout())};
    std::vector<double> objective;
    std::optional<Verdict> least;
    for (const std::unique_ptr<Merger>& candidate : candidates_) {
      enter_bases(input, {});
      MergeOutcome outcome = candidate->propose(input, comm);
      enter_bases(input, outcome.elements);
      const Verdict verdict = judge(choice_, input, outcome.merged, comm);
      objective.push_back(verdict.leading(choice_));
      if (least && !(verdict < *least)) continue;
      least = verdict;
      best = std::move(outcome);
    }
    best.objective = std::move(objective);
    enter_bases(input, best.elements);
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
  ChoiceOptions choice_;
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
  for (const std::string& name : names) candidates.push_back(renewing(find_merger(name).make(settings), settings));
  return std::make_unique<BestOf>(std::move(candidates), read_choice(settings));
}

}  // namespace fleet
