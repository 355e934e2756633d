// The samples that robots learn from, as a network takes them. Seen only inside src/torch.
#pragma once

#include <cstdint>
#include <span>

#include "base/random.hpp"
#include "torch/torch_pch.hpp"

namespace fleet {

class Samples {
 public:
  virtual ~Samples() = default;
  [[nodiscard]] virtual std::int64_t size() const = 0;
  /// Inputs and targets of `samples`, in tensors that live until the next load().
  virtual void load(std::span<const std::int32_t> samples) = 0;
  /// The same for training: samples may be varied as `stream` draws (Variation).
  virtual void load_varied(std::span<const std::int32_t> samples, RandomStream& /*stream*/) { load(samples); }
  /// As Network::forward() takes them.
  [[nodiscard]] const torch::Tensor& inputs() const { return inputs_; }
  /// Pass::steps, where samples are steps of the sequences that are the inputs; one for each sample.
  [[nodiscard]] const torch::Tensor& steps() const { return steps_; }
  /// How many samples are loaded.
  [[nodiscard]] std::int64_t loaded() const { return steps_.defined() ? steps_.size(0) : inputs_.size(0); }
  /// One per row of the network's outputs: class indices, or actions.
  [[nodiscard]] const torch::Tensor& targets() const { return targets_; }

 protected:
  torch::Tensor inputs_;
  torch::Tensor steps_;
  torch::Tensor targets_;
};

}  // namespace fleet
