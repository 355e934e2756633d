#include "merge/choice.hpp"

#include <array>
#include <cmath>
#include <limits>

#include "merge/consensus.hpp"

namespace fleet {
namespace {

using By = ChoiceOptions::By;
constexpr std::array<std::pair<std::string_view, By>, 2> kChoices{{{"loss", By::kLoss}, {"trials", By::kTrials}}};

}  // namespace

ChoiceOptions read_choice(SettingsReader& settings) {
  ChoiceOptions options;
  settings.read("merge.choose", options.by, Names<By>(kChoices),
                "How candidates for the merged policy are compared: by held-out loss, or by trials in the world.");
  if (options.by == By::kTrials) {
    settings.read("merge.trials", options.trials, between(1, 1e6), "Episodes in which a robot tries each candidate.");
  } else {
    settings.rule_out("merge.trials", "candidates are chosen by loss; merge.choose = \"trials\" tries them");
  }
  return options;
}

Verdict judge(const ChoiceOptions& options, const MergeInput& input, const ParamVector& at, const Comm& comm) {
  const auto worst_if_none = [](double value) {
    return std::isnan(value) ? std::numeric_limits<double>::infinity() : value;
  };
  Verdict verdict{.loss = worst_if_none(fleet_loss(input, at, comm))};
  if (options.by == By::kTrials) verdict.failures = worst_if_none(1.0 - fleet_success(input, at, options.trials, comm));
  return verdict;
}

}  // namespace fleet
