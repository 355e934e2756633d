// What a network saw when it acted in episodes, put together for one pass that says the same again. One that takes
// vectors saw each step by itself. A recurrent one had its state from the whole episode up to the step. Any other that
// takes sequences saw the last `NetworkShape::steps` steps, as PolicyRunner shows them. Seen only inside src/torch.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "torch/network.hpp"

namespace fleet {

struct NetworkShape;

/// Consecutive steps of episodes that lie one after another.
struct Stretch {
  std::int32_t begin = 0;
  std::int32_t count = 0;
};

/// What to pass through a network for one row of outputs a step.
struct History {
  torch::Tensor inputs;  ///< as Network::forward() takes them; sequences that are shorter than others end in zeros
  torch::Tensor steps;   ///< Pass::steps
};

class Histories {
 public:
  /// Of a network made for `shape`.
  Histories(const Network& network, const NetworkShape& shape);

  [[nodiscard]] std::size_t features() const { return features_; }
  /// Of these steps, in any order, among `inputs` (steps x features) of episodes of these lengths.
  [[nodiscard]] History of(std::span<const float> inputs, std::span<const std::int32_t> lengths,
                           std::span<const std::int32_t> steps) const;
  /// All steps of such episodes, in parts whose histories take bounded memory each (of recurrent networks: or have one
  /// episode). Steps that are seen by themselves are one part.
  [[nodiscard]] std::vector<Stretch> parts(std::span<const std::int32_t> lengths) const;

 private:
  enum class Sees : std::uint8_t { kStep, kWindow, kEpisode };

  Sees sees_;
  std::size_t features_;
  std::int32_t window_;
};

}  // namespace fleet
