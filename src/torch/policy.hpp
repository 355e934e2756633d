// A network as a function that acts: what policies in closed loop are run by, where every action decides what is seen
// next.
#pragma once

#include <memory>
#include <span>

#include "torch/models.hpp"

namespace fleet {

class ParamVector;

class PolicyRunner {
 public:
  virtual ~PolicyRunner() = default;
  /// Acts by these weights from now on; they are not copied and must outlive that. Error unless they are laid out as
  /// the network's.
  virtual void use(const ParamVector& weights) = 0;
  /// What has been seen so far is forgotten: an episode begins, or so many side by side.
  virtual void begin(int lanes) = 0;
  void begin() { begin(1); }
  /// `input` (lanes x features) -> `output` (lanes x dimensions), in the light of what has been seen since begin().
  virtual void act(std::span<const float> input, std::span<float> output) = 0;
};

/// Of a network made for `shape`. One that takes vectors sees each by itself; of those that take sequences of vectors,
/// a recurrent one carries its state through the episode, any other sees the last `shape.steps` inputs.
[[nodiscard]] std::unique_ptr<PolicyRunner> make_policy_runner(std::shared_ptr<const Network> network,
                                                               const NetworkShape& shape);

}  // namespace fleet
