// Keys of robots that learn online.
#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "torch/online.hpp"

namespace fleet {
namespace {

constexpr std::array<std::pair<std::string_view, bool>, 2> kBaselines{{{"none", false}, {"scaled", true}}};
constexpr std::array<std::pair<std::string_view, PolicyGradient>, 2> kGradients{
    {{"reinforce", PolicyGradient::kReinforce}, {"search", PolicyGradient::kSearch}}};

void read_search(SettingsReader& settings, OnlineOptions& options) {
  SearchOptions& search = options.search;
  settings.read("train.directions", search.directions, between(1, 1e5),
                "Directions of a gradient step, with an episode on both sides of each.");
  search.best = std::min(search.best, search.directions);
  settings.read("train.best", search.best, between(1, search.directions),
                "Directions of a step that count: those with the best episodes.");
  settings.read("train.perturbation", search.perturbation, above(0),
                "How far networks nearby are, in each weight of whitened observations.");
  options.head_scale = 0.0;
  options.batch_episodes = 2 * search.directions;
  options.epoch_episodes = 10 * options.batch_episodes;
  for (const char* key :
       {"train.batch_episodes", "train.discount", "train.baseline", "train.entropy", "train.deviation"}) {
    settings.rule_out(key, "it is of train.gradient = \"reinforce\"");
  }
}

void read_reinforce(SettingsReader& settings, OnlineOptions& options, bool chooses) {
  for (const char* key : {"train.directions", "train.best", "train.perturbation"}) {
    settings.rule_out(key, "it is of train.gradient = \"search\"");
  }
  settings.read("train.batch_episodes", options.batch_episodes, between(1, 1e6),
                "Episodes played for each gradient step.");
  options.epoch_episodes = 10 * options.batch_episodes;
  settings.read("train.discount", options.discount, between(0, 1),
                "Weight of each next step's reward in what an action is worth.");
  settings.read("train.baseline", options.baseline, Names<bool>(kBaselines),
                "Whether what the actions of a batch bring is scaled to mean 0 and deviation 1.");
  if (chooses) {
    settings.read("train.entropy", options.entropy, at_least(0),
                  "Weight of the entropy of choices, which keeps a robot trying.");
    settings.rule_out("train.deviation", "an action of this task is a choice, drawn by its probability");
  } else {
    settings.read("train.deviation", options.deviation, above(0),
                  "Deviation of the noise on actions, which are numbers.");
    settings.rule_out("train.entropy", "the noise on actions of this task has an entropy that nothing changes");
  }
}

}  // namespace

OnlineOptions read_online_options(SettingsReader& settings, bool chooses) {
  OnlineOptions options;
  settings.read("train.gradient", options.gradient, Names<PolicyGradient>(kGradients),
                "What a robot's gradient comes from: what it tried in its episodes, or episodes of networks nearby.");
  if (options.gradient == PolicyGradient::kSearch) {
    read_search(settings, options);
  } else {
    read_reinforce(settings, options, chooses);
  }
  settings.read("train.epoch_episodes", options.epoch_episodes, between(1, 1e6),
                "Episodes that a robot plays in an epoch, those of a whole number of gradient steps.");
  if (options.epoch_episodes % options.batch_episodes != 0) {
    reject("train.epoch_episodes", settings.resolved().at("train.epoch_episodes"),
           cat("expected a multiple of ", options.batch_episodes, ", the episodes of a gradient step"));
  }
  settings.read("train.head_scale", options.head_scale, at_least(0),
                "Factor of the last layer's first weights; 0: a robot begins by doing nothing, or anything alike.");
  settings.read("train.reward_shift", options.shift, between(-1e6, 1e6),
                "Added to each step's reward, for learning alone; -1 takes away what a body gets for standing.");
  settings.read("train.remembered", options.remembered, between(1, 1e6),
                "Last episodes of a robot that merging methods may ask about.");
  return options;
}

}  // namespace fleet
