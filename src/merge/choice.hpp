// Which of several candidates for the consensus is kept: by the fleet's held-out loss, or by what it does in the world.
#pragma once

#include <compare>

#include "merge/merger.hpp"

namespace fleet {

struct ChoiceOptions {
  enum class By {
    kLoss,    ///< the mean loss on all participants' held-out data
    kTrials,  ///< the share of trials that fail (LocalData::trials), among equals the loss
  };
  By by = By::kLoss;
  int trials = 10;  ///< that a robot gives each candidate
};

/// What it asks of robots.
[[nodiscard]] constexpr Questions questions_of(const ChoiceOptions& options) {
  const Questions loss{Question::kHeldOutLoss};
  return options.by == ChoiceOptions::By::kTrials ? loss | Questions{Question::kTrials} : loss;
}

/// Reads "merge.choose" and, for trials, "merge.trials".
[[nodiscard]] ChoiceOptions read_choice(SettingsReader& settings);

/// How a candidate does; less is better. What is no number counts as infinite.
struct Verdict {
  double failures = 0.0;  ///< share of the trials; 0 where none are made
  double loss = 0.0;
  auto operator<=>(const Verdict&) const = default;
  /// What decides first, for MergeOutcome::objective.
  [[nodiscard]] double leading(const ChoiceOptions& options) const {
    return options.by == ChoiceOptions::By::kTrials ? failures : loss;
  }
};

/// Of `at`, over all participants: two numbers a robot cross the network, in trials two more. Trials of one merge are
/// the same for all candidates. Collective.
[[nodiscard]] Verdict judge(const ChoiceOptions& options, const MergeInput& input, const ParamVector& at,
                            const Comm& comm);

}  // namespace fleet
