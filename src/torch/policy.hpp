// A network as a function that acts: what policies in closed loop are run by, where every action decides what is seen
// next.
#pragma once

#include <memory>
#include <span>

#include "model/param_layout.hpp"

namespace fleet {

class Network;

class PolicyRunner {
 public:
  virtual ~PolicyRunner() = default;
  /// Acts by these weights, of the network's layout, from now on; they are not copied and must outlive that.
  virtual void use(const ParamVector& weights) = 0;
  /// `inputs` (rows x features) -> `outputs` (rows x dimensions). A row's outputs may differ in their last bits with
  /// the number of rows beside it.
  virtual void act(std::span<const float> inputs, std::span<float> outputs) = 0;
};

/// Of a network that takes vectors of `features` numbers, each by itself.
[[nodiscard]] std::unique_ptr<PolicyRunner> make_policy_runner(std::shared_ptr<const Network> network, int features);

}  // namespace fleet
