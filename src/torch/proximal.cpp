#include "torch/proximal.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "torch/mlp.hpp"
#include "torch/whitening.hpp"

namespace fleet {
namespace {

std::shared_ptr<const Network> make_critic(const OnlineProblem& problem) {
  std::vector<int> widths = problem.online.proximal.critic;
  widths.insert(widths.begin(), problem.shape.inputs);
  widths.push_back(1);
  return make_tanh_mlp(widths);
}

torch::Tensor row_of(std::span<const float> values) {
  return torch::tensor(at::ArrayRef<float>(values.data(), values.size()));
}

std::vector<float> numbers(const torch::Tensor& values) {
  const torch::Tensor flat = values.flatten().contiguous();
  return {flat.data_ptr<float>(), flat.data_ptr<float>() + flat.numel()};
}

/// Of actions, rows x numbers, as normal noise of these deviations about `means` makes them, but for a constant.
torch::Tensor log_density(const torch::Tensor& actions, const torch::Tensor& means,
                          const torch::Tensor& log_deviations) {
  return -(((actions - means) / log_deviations.exp()).square() * 0.5 + log_deviations).sum(1);
}

/// The noise's deviations are no weights: nothing pulls them to 1.
OptimizerOptions without_decay(OptimizerOptions options) {
  options.weight_decay = 0.0;
  return options;
}

}  // namespace

std::vector<float> generalised_advantages(std::span<const float> rewards, std::span<const float> values,
                                          std::span<const std::int32_t> lengths, std::span<const float> beyond,
                                          double discount, double lambda) {
  std::vector<float> advantages(rewards.size());
  std::size_t end = 0;
  for (std::size_t episode = 0; episode < lengths.size(); ++episode) {
    const std::size_t begin = end;
    end += static_cast<std::size_t>(lengths[episode]);
    double next = static_cast<double>(beyond[episode]);
    double advantage = 0.0;
    for (std::size_t i = end; i-- > begin;) {
      const auto value = static_cast<double>(values[i]);
      advantage = static_cast<double>(rewards[i]) + discount * next - value + discount * lambda * advantage;
      advantages[i] = static_cast<float>(advantage);
      next = value;
    }
  }
  return advantages;
}

torch::Tensor clipped_surrogate(const torch::Tensor& log_ratio, const torch::Tensor& advantages, double clip) {
  const torch::Tensor ratio = log_ratio.exp();
  return -torch::minimum(ratio * advantages, ratio.clamp(1.0 - clip, 1.0 + clip) * advantages).mean();
}

ProximalLearner::ProximalLearner(const OnlineProblem& problem, int robot, std::size_t robots)
    : problem_(problem),
      minibatch_(robots * static_cast<std::size_t>(problem.online.proximal.minibatch_steps)),
      critic_(make_critic(problem)),
      critic_weights_(critic_->layout()),
      critic_optimizer_(problem.training.optimizer, critic_->layout()->size()),
      log_deviations_(problem.chooses ? 0 : static_cast<std::size_t>(problem.shape.outputs),
                      static_cast<float>(std::log(problem.online.deviation))),
      deviation_optimizer_(without_decay(problem.training.optimizer), log_deviations_.size()),
      seen_(static_cast<std::size_t>(problem.shape.inputs)),
      returns_(1) {
  RandomStream stream(problem.training.seed, Purpose::kCritic, static_cast<std::uint64_t>(robot));
  critic_->initialize(critic_weights_, stream);
}

std::vector<float> ProximalLearner::deviations() const {
  std::vector<float> deviations(log_deviations_.size());
  std::ranges::transform(log_deviations_, deviations.begin(), [](float log) { return std::exp(log); });
  return deviations;
}

void ProximalLearner::see(const Experience& batch) {
  seen_.see(batch.inputs);
  std::vector<float> sums;
  std::size_t at = 0;
  for (const std::int32_t length : batch.lengths) {
    double sum = 0.0;
    for (std::int32_t i = 0; i < length; ++i) {
      sum = static_cast<double>(batch.rewards[at++]) + problem_.online.discount * sum;
      sums.push_back(static_cast<float>(sum));
    }
  }
  returns_.see(sums);
}

torch::Tensor ProximalLearner::values_of(const torch::Tensor& inputs) const {
  const torch::NoGradGuard no_grad;
  return critic_->forward(Network::views(critic_weights_), inputs).squeeze(1);
}

/// What a batch teaches, one row for each step.
struct ProximalLearner::Lesson {
  torch::Tensor inputs;      ///< whitened
  torch::Tensor actions;     ///< numbers, or one column of choices
  torch::Tensor likelihood;  ///< log of that of the action, when it was taken
  torch::Tensor advantages;  ///< of mean 0 and deviation 1
  torch::Tensor returns;     ///< what the critic is to say

  [[nodiscard]] Lesson at(const torch::Tensor& rows) const {
    return {.inputs = inputs.index_select(0, rows),
            .actions = actions.index_select(0, rows),
            .likelihood = likelihood.index_select(0, rows),
            .advantages = advantages.index_select(0, rows),
            .returns = returns.index_select(0, rows)};
  }
};

ProximalLearner::Lesson ProximalLearner::judge(const Experience& batch, const Whitening& whitening) const {
  const torch::Tensor inputs = whitening.whitened(batch.inputs);
  const std::vector<float> values = numbers(values_of(inputs));
  std::vector<float> beyond;
  for (const std::vector<float>& last : batch.beyond) {
    beyond.push_back(last.empty() ? 0.0F : values_of(whitening.whitened(last)).item<float>());
  }
  const double scale = 1.0 / std::sqrt(returns_.variance(0) + 1e-8);
  std::vector<float> rewards(batch.rewards.size());
  std::ranges::transform(batch.rewards, rewards.begin(),
                         [scale](float reward) { return static_cast<float>(static_cast<double>(reward) * scale); });
  std::vector<float> worth = generalised_advantages(rewards, values, batch.lengths, beyond, problem_.online.discount,
                                                    problem_.online.proximal.lambda);
  const torch::Tensor returns = row_of(worth) + row_of(values);
  standardise(worth);
  const torch::Tensor actions = problem_.chooses ? batch.action_rows().to(torch::kInt64) : batch.action_rows();
  return {.inputs = inputs,
          .actions = actions,
          .likelihood = likelihood(actions, batch.output_rows(), row_of(log_deviations_)),
          .advantages = row_of(worth),
          .returns = returns};
}

torch::Tensor ProximalLearner::likelihood(const torch::Tensor& actions, const torch::Tensor& outputs,
                                          const torch::Tensor& log_deviations) const {
  return problem_.chooses ? torch::log_softmax(outputs, 1).gather(1, actions).squeeze(1)
                          : log_density(actions, outputs, log_deviations);
}

void ProximalLearner::step_policy(const Lesson& lesson, Trainer& trainer, const GradientTerm* term, double factor) {
  std::vector<float> deviation_slopes;
  const Loss loss = [&](const torch::Tensor& outputs) {
    const torch::Tensor log_deviations = row_of(log_deviations_).requires_grad_(!problem_.chooses);
    const torch::Tensor ratio = likelihood(lesson.actions, outputs, log_deviations) - lesson.likelihood;
    const torch::Tensor surrogate = clipped_surrogate(ratio, lesson.advantages, problem_.online.proximal.clip);
    if (problem_.chooses) {
      const torch::Tensor log_shares = torch::log_softmax(outputs, 1);
      return surrogate + problem_.online.entropy * (log_shares.exp() * log_shares).sum(1).mean();
    }
    const torch::Tensor total = surrogate - problem_.online.entropy * log_deviations.sum();
    deviation_slopes = numbers(torch::autograd::grad({total}, {log_deviations}, {}, true).front());
    return total;
  };
  Pass pass{.training = true};
  (void)trainer.find_gradient(loss, lesson.inputs, pass);
  if (term != nullptr) trainer.add(*term);
  trainer.follow_gradient(factor);
  if (!problem_.chooses) deviation_optimizer_.step(log_deviations_, deviation_slopes, factor);
}

void ProximalLearner::step_critic(const Lesson& lesson, ParamVector& gradient, double factor) {
  Pass pass{.training = true};
  const Loss loss = [&](const torch::Tensor& values) { return (values.squeeze(1) - lesson.returns).square().mean(); };
  (void)backpropagate(*critic_, loss, Network::views(critic_weights_), lesson.inputs, pass, Network::views(gradient));
  critic_optimizer_.step(critic_weights_.flat(), gradient.flat(), factor);
}

void ProximalLearner::improve(const Experience& batch, Classroom& classroom, ParamVector& weights, Optimizer& optimizer,
                              const GradientTerm* term, double factor, RandomStream& stream) {
  see(batch);
  const Whitening whitening(*problem_.network, seen_, Whitening::Constant::kKept);
  const Lesson lesson = judge(batch, whitening);
  ParamVector whitened = weights;
  whitening.to_whitened(whitened);
  std::optional<WhitenedTerm> whitened_term;
  if (term != nullptr) whitened_term.emplace(*term, whitening);
  Trainer trainer(classroom, whitened, optimizer);
  ParamVector critic_gradient(critic_->layout());
  std::vector<std::int64_t> order(batch.rewards.size());
  std::iota(order.begin(), order.end(), 0);
  for (int pass = 0; pass < problem_.online.proximal.passes; ++pass) {
    stream.shuffle(std::span(order));
    for (std::size_t begin = 0; begin < order.size(); begin += minibatch_) {
      const std::size_t count = std::min(order.size() - begin, minibatch_);
      const Lesson some = lesson.at(torch::tensor(at::ArrayRef<std::int64_t>(order.data() + begin, count)));
      step_policy(some, trainer, whitened_term ? &*whitened_term : nullptr, factor);
      step_critic(some, critic_gradient, factor);
    }
  }
  trainer.finish();
  whitening.to_plain(whitened);
  std::ranges::copy(whitened.flat(), weights.flat().begin());
}

void ProximalLearner::save(StateWriter& state) const {
  state.write_all(std::span<const float>(critic_weights_.flat()));
  critic_optimizer_.save(state);
  state.write_all(std::span(log_deviations_));
  deviation_optimizer_.save(state);
  seen_.save(state);
  returns_.save(state);
}

void ProximalLearner::load(StateReader& state) {
  state.read_into(critic_weights_.flat());
  critic_optimizer_.load(state);
  state.read_into(std::span(log_deviations_));
  deviation_optimizer_.load(state);
  seen_.load(state);
  returns_.load(state);
}

}  // namespace fleet
