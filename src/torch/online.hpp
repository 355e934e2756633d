// Robots that gather their own data. Either they act at random around what their network proposes and follow the
// gradient of what that brings: once, REINFORCE (Williams, 1992), as in Appendix E of the paper, or in many small steps
// with a critic, proximal policy optimisation. Or they try networks nearby for whole episodes, augmented random search.
//
// What a robot knows of its own data, and merging methods ask for, are its last episodes: there its loss is that of
// doing again what it did, and heads are fitted to what its network said.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "torch/supervised.hpp"

namespace fleet {

/// What gives a robot its gradient.
enum class PolicyGradient { kReinforce, kSearch, kProximal };

struct SearchOptions {
  int directions = 8;  ///< in each step, with two episodes each
  int best = 4;        ///< of them count
  double perturbation = 0.03;
};

struct ProximalOptions {
  int batch_steps = 2000;  ///< of a batch: whole episodes are played until there are as many
  int passes = 10;         ///< over a batch
  int minibatch_steps = 64;
  double clip = 0.2;     ///< how far the likelihood of an action may go in a batch, as a factor from 1
  double lambda = 0.95;  ///< 0: advantages are those of one step, judged by the critic; 1: of whole episodes
  std::vector<int> critic = {64, 64};  ///< hidden widths
  int epoch_batches = 10;
};

struct OnlineOptions {
  PolicyGradient gradient = PolicyGradient::kReinforce;
  SearchOptions search;
  ProximalOptions proximal;
  double head_scale = 1.0;  ///< factor of the last map's first weights
  double shift = 0.0;       ///< added to each step's reward, for learning alone
  int epoch_episodes = 10;  ///< that a robot plays in an epoch; a multiple of batch_episodes
  int batch_episodes = 1;   ///< played for each gradient step; of kSearch, two a direction
  int environments = 1;     ///< episodes that are played side by side; of kSearch 1
  double discount = 0.99;   ///< of what an action brings in each step that follows
  bool baseline = true;     ///< what the actions of a batch bring is scaled to mean 0 and deviation 1
  double entropy = 0.0;     ///< weight of the entropy of actions, which keeps a robot trying
  double deviation = 0.5;   ///< of the normal noise on actions that are numbers; of kProximal the first
  int remembered = 10;      ///< last episodes that merging methods may ask about

  /// What a robot keeps beside its policy, of episodes of `longest` steps.
  [[nodiscard]] std::int64_t robot_bytes(const NetworkShape& shape, bool chooses, int longest) const;
  /// What is played for one gradient step, which is kept until it is taken.
  [[nodiscard]] std::int64_t batch_bytes(const NetworkShape& shape, bool chooses, int longest) const;
  /// Gradient steps, or batches of kProximal.
  [[nodiscard]] std::int64_t steps_per_epoch() const;
  /// Episodes, or of kProximal steps: of robots that play alike they weigh alike.
  [[nodiscard]] std::int64_t samples_per_epoch() const;
};

/// Writes actions, as an environment takes them, in answer to what the network is to see: of episodes side by side, one
/// row for each.
using Act = std::function<void(std::span<const float> inputs, std::span<float> actions)>;
/// What an episode has brought.
struct Played {
  std::vector<float> rewards;  ///< of each step; at least one
  /// What the network would see next in an episode that was cut off; empty where it has ended for good.
  std::vector<float> beyond = {};
};
/// Plays so many episodes of a robot's life side by side, from the `first`-th: all begin together, and `act` is asked
/// for every one, those that are over too, until the last is over. A function of its arguments alone.
using Play = std::function<std::vector<Played>(int robot, std::uint64_t first, int count, const Act& act)>;

struct OnlineProblem {
  int robots = 1;
  /// One that takes vectors or, of kReinforce, sequences of them.
  std::shared_ptr<const Network> network;
  NetworkShape shape;
  bool chooses = false;  ///< actions are choices, one for each output
  TrainingOptions training;
  OnlineOptions online;
  Play play;
  TrialRunner trials;
  /// Workload::test_parts(), metrics() and test_scores().
  int test_parts = 1;
  std::vector<std::string> metrics;
  std::function<std::vector<Score>(const ParamVector& weights, int part)> test;
};

/// The training loss is minus the mean return of the episodes played. The joint robot plays everybody's episodes for
/// each of its steps, or for each of its batches, whose minibatches are as many times larger.
[[nodiscard]] std::unique_ptr<Workload> make_online_workload(OnlineProblem problem);

/// Advantages of the steps of a batch of episodes, of `lengths` steps each, one after another: discounted sums of the
/// rewards that follow, scaled as OnlineOptions::baseline says.
[[nodiscard]] std::vector<float> advantages(std::span<const float> rewards, std::span<const std::int32_t> lengths,
                                            const OnlineOptions& options);

/// Reads "train.gradient", "train.head_scale", "train.reward_shift", "train.remembered" and what that gradient has
/// besides.
[[nodiscard]] OnlineOptions read_online_options(SettingsReader& settings, bool chooses);

}  // namespace fleet
