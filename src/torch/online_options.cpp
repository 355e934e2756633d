// Keys of robots that learn online.
#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "torch/online.hpp"

namespace fleet {
namespace {

constexpr std::array<std::pair<std::string_view, bool>, 2> kBaselines{{{"none", false}, {"scaled", true}}};
constexpr std::array<std::pair<std::string_view, PolicyGradient>, 3> kGradients{{
    {"reinforce", PolicyGradient::kReinforce},
    {"search", PolicyGradient::kSearch},
    {"ppo", PolicyGradient::kProximal},
}};

/// Which gradients read a key that not all do.
struct Readers {
  std::string_view key;
  bool reinforce;
  bool search;
  bool proximal;

  [[nodiscard]] bool has(PolicyGradient gradient) const {
    return gradient == PolicyGradient::kReinforce ? reinforce : gradient == PolicyGradient::kSearch ? search : proximal;
  }
};
constexpr std::array kReaders{
    Readers{"train.batch_episodes", true, false, false}, Readers{"train.baseline", true, false, false},
    Readers{"train.directions", false, true, false},     Readers{"train.best", false, true, false},
    Readers{"train.perturbation", false, true, false},   Readers{"train.batch_steps", false, false, true},
    Readers{"train.passes", false, false, true},         Readers{"train.minibatch_steps", false, false, true},
    Readers{"train.clip_ratio", false, false, true},     Readers{"train.gae_lambda", false, false, true},
    Readers{"train.critic_hidden", false, false, true},  Readers{"train.epoch_batches", false, false, true},
    Readers{"train.epoch_episodes", true, true, false},  Readers{"train.discount", true, false, true},
    Readers{"train.environments", true, false, true},    Readers{"train.entropy", true, false, true},
    Readers{"train.deviation", true, false, true},
};

/// Tells who sets a key of another gradient.
void rule_out_others(SettingsReader& settings, PolicyGradient gradient) {
  for (const Readers& readers : kReaders) {
    if (readers.has(gradient)) continue;
    std::string names;
    for (const auto& [name, kind] : kGradients) {
      if (readers.has(kind)) names += cat(names.empty() ? "" : " or ", '"', name, '"');
    }
    settings.rule_out(readers.key, cat("it is of train.gradient = ", names));
  }
}

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
}

void read_reinforce(SettingsReader& settings, OnlineOptions& options) {
  settings.read("train.batch_episodes", options.batch_episodes, between(1, 1e6),
                "Episodes played for each gradient step.");
  settings.read("train.baseline", options.baseline, Names<bool>(kBaselines),
                "Whether what the actions of a batch bring is scaled to mean 0 and deviation 1.");
}

void read_proximal(SettingsReader& settings, OnlineOptions& options) {
  ProximalOptions& proximal = options.proximal;
  settings.read("train.batch_steps", proximal.batch_steps, between(1, 1e7),
                "Steps of a batch: a robot plays whole episodes until it has made as many.");
  settings.read("train.passes", proximal.passes, between(1, 1e4), "Passes over a batch.");
  settings.read("train.minibatch_steps", proximal.minibatch_steps, between(1, 1e7),
                "Steps of the batch that a gradient is made of.");
  settings.read("train.clip_ratio", proximal.clip, between(0, 1),
                "How far the likelihood of an action may go from what it was, as a factor: 1 - this to 1 + this.");
  settings.read("train.gae_lambda", proximal.lambda, between(0, 1),
                "What actions are worth: 0: judged by the critic after one step; 1: by whole episodes.");
  settings.read("train.epoch_batches", proximal.epoch_batches, between(1, 1e6), "Batches of an epoch.");
  read_widths(settings, "train.critic_hidden", proximal.critic,
              "Widths of the hidden layers of the critic, which each robot has for itself.");
  options.head_scale = 0.01;
}

void read_trying(SettingsReader& settings, OnlineOptions& options, bool chooses) {
  settings.read("train.environments", options.environments, between(1, 1e4),
                "Episodes that a robot plays side by side, with one pass of its network for all.");
  const bool reinforce = options.gradient == PolicyGradient::kReinforce;
  settings.read("train.discount", options.discount, between(0, 1),
                "Weight of each next step's reward in what an action is worth.");
  if (chooses || !reinforce) {
    settings.read("train.entropy", options.entropy, at_least(0),
                  "Weight of the entropy of actions, which keeps a robot trying.");
  } else {
    settings.rule_out("train.entropy", "the noise on actions of this task has an entropy that nothing changes");
  }
  if (chooses) {
    settings.rule_out("train.deviation", "an action of this task is a choice, drawn by its probability");
  } else {
    settings.read("train.deviation", options.deviation, above(0),
                  "Deviation of the noise on actions, which are numbers; \"ppo\" learns it, from this one.");
  }
}

}  // namespace

OnlineOptions read_online_options(SettingsReader& settings, bool chooses) {
  OnlineOptions options;
  settings.read("train.gradient", options.gradient, Names<PolicyGradient>(kGradients),
                "What a robot's gradient comes from: what it tried in its episodes (once, or by many steps with a "
                "critic), or episodes of networks nearby.");
  rule_out_others(settings, options.gradient);
  if (options.gradient == PolicyGradient::kSearch) {
    read_search(settings, options);
  } else if (options.gradient == PolicyGradient::kProximal) {
    read_proximal(settings, options);
    read_trying(settings, options, chooses);
  } else {
    read_reinforce(settings, options);
    read_trying(settings, options, chooses);
  }
  if (options.gradient != PolicyGradient::kProximal) {
    options.epoch_episodes = 10 * options.batch_episodes;
    settings.read("train.epoch_episodes", options.epoch_episodes, between(1, 1e8),
                  "Episodes that a robot plays in an epoch, those of a whole number of gradient steps.");
    if (options.epoch_episodes % options.batch_episodes != 0) {
      reject("train.epoch_episodes", settings.resolved().at("train.epoch_episodes"),
             cat("expected a multiple of ", options.batch_episodes, ", the episodes of a gradient step"));
    }
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
