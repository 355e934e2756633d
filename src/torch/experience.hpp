// What a robot has lived through, how it acts to live through more, and the policy gradient of that. Seen only inside
// src/torch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "base/state.hpp"
#include "torch/histories.hpp"
#include "torch/network.hpp"
#include "torch/objective.hpp"
#include "torch/online.hpp"
#include "torch/policy.hpp"
#include "torch/samples.hpp"

namespace fleet {

/// Episodes, one after another.
struct Experience {
  std::vector<float> inputs;   ///< steps x features, as the network sees them
  std::vector<float> outputs;  ///< steps x outputs: what the network said
  std::vector<float> actions;  ///< steps x numbers of an action; of choices: which, one number a step
  std::vector<float> rewards;  ///< steps
  std::vector<std::int32_t> lengths;
  std::vector<std::vector<float>> beyond;  ///< of each episode: Played::beyond

  void clear();
  /// Steps x numbers of each.
  [[nodiscard]] torch::Tensor output_rows() const;
  [[nodiscard]] torch::Tensor action_rows() const;
};

/// Acts in episodes side by side, which `runner` has begun, and notes of each what it saw, thought and did. All must
/// outlive it.
class Actor {
 public:
  /// `streams`: one for each episode; or none, and it does what is likeliest.
  Actor(PolicyRunner& runner, int episodes, bool chooses, std::span<const float> deviations,
        std::span<RandomStream> streams)
      : runner_(runner),
        chooses_(chooses),
        deviations_(deviations),
        streams_(streams),
        notes_(static_cast<std::size_t>(episodes)) {}
  /// Of choices, one drawn by the softmax of the network's outputs; else these with normal noise, of the deviation of
  /// each.
  void act(std::span<const float> inputs, std::span<float> actions);
  /// Adds the episodes, which have brought this. What was asked for after the end of one is left out.
  void add_to(Experience& batch, std::vector<Played> played) const;

 private:
  void choose(std::size_t episode, std::span<const float> outputs, std::span<float> action);
  void vary(std::size_t episode, std::span<const float> outputs, std::span<float> action);

  PolicyRunner& runner_;
  bool chooses_;
  std::span<const float> deviations_;
  std::span<RandomStream> streams_;
  std::vector<Experience> notes_;  // inputs, outputs and actions of each episode
  std::size_t steps_ = 0;          // noted of each
  std::vector<float> outputs_;
};

/// Brings `values` to mean 0 and deviation 1.
void standardise(std::span<float> values);

/// Whose gradient is the policy gradient: minus the mean over steps of advantage x log probability of the action taken,
/// by a network with these outputs, and minus the weighted entropy of choices. Of the outputs for `part` of the steps
/// it is what these contribute.
[[nodiscard]] Loss policy_loss(const Experience& experience, const OnlineOptions& options, bool chooses,
                               const Stretch& part);

/// The last episodes that a robot has played.
class Memory {
 public:
  Memory(const Histories& histories, int outputs, bool chooses)
      : histories_(histories), outputs_(static_cast<std::size_t>(outputs)), chooses_(chooses) {}
  /// Steps.
  [[nodiscard]] std::int64_t size() const {
    return static_cast<std::int64_t>(kept_.inputs.size() / histories_.features());
  }

  /// Adds episodes and forgets all but the last `most`.
  void remember(const Experience& episodes, std::size_t most);
  void save(StateWriter& state) const;
  void load(StateReader& state);

  /// What it saw up to these steps; what it did: classes, or steps x numbers; and what its network said.
  [[nodiscard]] History inputs(std::span<const std::int32_t> steps) const;
  [[nodiscard]] torch::Tensor actions(std::span<const std::int32_t> steps) const;
  [[nodiscard]] torch::Tensor outputs(std::span<const std::int32_t> steps) const;

 private:
  [[nodiscard]] std::size_t action_size() const { return chooses_ ? 1 : outputs_; }

  Histories histories_;
  std::size_t outputs_;
  bool chooses_;
  Experience kept_;
};

/// A memory as samples, towards what the robot did or what its network said. It must outlive them.
class Recollection final : public Samples {
 public:
  enum class Of { kActions, kOutputs };
  Recollection(const Memory& memory, Of of) : memory_(memory), of_(of) {}
  [[nodiscard]] std::int64_t size() const override { return memory_.size(); }
  void load(std::span<const std::int32_t> samples) override {
    History history = memory_.inputs(samples);
    inputs_ = std::move(history.inputs);
    steps_ = std::move(history.steps);
    targets_ = of_ == Of::kActions ? memory_.actions(samples) : memory_.outputs(samples);
  }

 private:
  const Memory& memory_;
  Of of_;
};

}  // namespace fleet
