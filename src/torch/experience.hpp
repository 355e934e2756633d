// What a robot has lived through, how it acts to live through more, and the policy gradient of that. Seen only inside
// src/torch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "base/state.hpp"
#include "torch/network.hpp"
#include "torch/objective.hpp"
#include "torch/online.hpp"
#include "torch/samples.hpp"

namespace fleet {

/// Episodes, one after another.
struct Experience {
  std::vector<float> inputs;   ///< steps x features, as the network sees them
  std::vector<float> actions;  ///< steps x numbers of an action; of choices: which, one number a step
  std::vector<float> rewards;  ///< steps
  std::vector<std::int32_t> lengths;

  void clear();
  [[nodiscard]] torch::Tensor input_rows() const;
};

/// Acts at random by one set of weights, and notes what it saw and did. All must outlive it.
class Actor {
 public:
  Actor(const Network& network, const ParamVector& weights, int features, bool chooses, double deviation,
        RandomStream& stream, Experience& notes);
  /// Of choices, one drawn by the softmax of the network's outputs; else these with normal noise.
  void act(std::span<const float> input, std::span<float> action);

 private:
  const Network& network_;
  std::vector<torch::Tensor> parameters_;
  torch::Tensor input_;
  bool chooses_;
  double deviation_;
  RandomStream& stream_;
  Experience& notes_;
};

/// Whose gradient is the policy gradient: minus the mean over steps of advantage x log probability of the action taken,
/// by a network with these outputs, and minus the weighted entropy of choices. `experience` must outlive it.
[[nodiscard]] Loss policy_loss(const Experience& experience, const OnlineOptions& options, bool chooses);

/// The last episodes that a robot has played, as samples to imitate.
class Memory final : public Samples {
 public:
  /// `dimensions`: numbers of an action as Experience has them.
  Memory(int features, int dimensions, bool chooses)
      : features_(static_cast<std::size_t>(features)),
        dimensions_(static_cast<std::size_t>(dimensions)),
        chooses_(chooses) {}
  [[nodiscard]] std::int64_t size() const override {
    return static_cast<std::int64_t>(kept_.actions.size() / dimensions_);
  }
  void load(std::span<const std::int32_t> samples) override;

  /// Adds episodes and forgets all but the last `most`.
  void remember(const Experience& episodes, std::size_t most);
  void save(StateWriter& state) const;
  void load(StateReader& state);

 private:
  std::size_t features_;
  std::size_t dimensions_;
  bool chooses_;
  Experience kept_;
};

}  // namespace fleet
