// Proximal policy optimisation (Schulman, Wolski, Dhariwal, Radford and Klimov, 2017): many steps on one batch of
// episodes, none of which goes far from the policy that has played them. What actions are worth is judged by a critic,
// with generalised advantage estimation (Schulman, Moritz, Levine, Jordan and Abbeel, ICLR 2016).
// Seen only inside src/torch.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "torch/experience.hpp"
#include "torch/feature_statistics.hpp"
#include "torch/online.hpp"
#include "torch/trainer.hpp"

namespace fleet {

class Whitening;

/// Advantages of all steps, eq. 16 of the latter: sums of discount^k lambda^k (r + discount V' - V) over the steps that
/// follow in the same episode. `values` are V of the states of all steps; `beyond` V' after the last step of each
/// episode, 0 where it has ended for good.
[[nodiscard]] std::vector<float> generalised_advantages(std::span<const float> rewards, std::span<const float> values,
                                                        std::span<const std::int32_t> lengths,
                                                        std::span<const float> beyond, double discount, double lambda);

/// Minus eq. 7 of the former, the mean over steps of min(ratio A, clip(ratio, 1 - clip, 1 + clip) A), where ratio is
/// how much likelier an action has become.
[[nodiscard]] torch::Tensor clipped_surrogate(const torch::Tensor& log_ratio, const torch::Tensor& advantages,
                                              double clip);

/// What one robot has beside its policy: the critic, the deviations of its noise, and what it has seen, by which
/// observations are whitened and rewards scaled. None of it is merged.
class ProximalLearner {
 public:
  /// First weights of the critic are those of robot `robot`; batches are of the episodes of `robots`. `problem` must
  /// outlive it.
  ProximalLearner(const OnlineProblem& problem, int robot, std::size_t robots);

  /// Of the noise on each number of an action; nothing for choices.
  [[nodiscard]] std::vector<float> deviations() const;
  /// Learns from a batch that was played by `weights` and these deviations, at `factor` times the learning rate.
  void improve(const Experience& batch, Classroom& classroom, ParamVector& weights, Optimizer& optimizer,
               const GradientTerm* term, double factor, RandomStream& stream);

  void save(StateWriter& state) const;
  void load(StateReader& state);

 private:
  struct Lesson;

  /// Takes note of a batch, for whitening and for the scale of rewards.
  void see(const Experience& batch);
  [[nodiscard]] Lesson judge(const Experience& batch, const Whitening& whitening) const;
  [[nodiscard]] torch::Tensor values_of(const torch::Tensor& inputs) const;
  /// The log of it, of actions, by a policy that says `outputs`.
  [[nodiscard]] torch::Tensor likelihood(const torch::Tensor& actions, const torch::Tensor& outputs,
                                         const torch::Tensor& log_deviations) const;
  void step_policy(const Lesson& lesson, Trainer& trainer, const GradientTerm* term, double factor);
  void step_critic(const Lesson& lesson, ParamVector& gradient, double factor);

  const OnlineProblem& problem_;
  std::size_t minibatch_;  // steps
  std::shared_ptr<const Network> critic_;
  ParamVector critic_weights_;
  Optimizer critic_optimizer_;
  std::vector<float> log_deviations_;
  Optimizer deviation_optimizer_;
  FeatureStatistics seen_;
  FeatureStatistics returns_;  // discounted sums of rewards along episodes
};

}  // namespace fleet
