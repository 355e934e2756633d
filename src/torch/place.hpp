// Where a rank's networks compute, and how numbers get there and back. Weights in the host's memory (ParamVector)
// remain the truth between calls: what is computed elsewhere is brought there, and its results are fetched.
// Seen only inside src/torch.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "model/param_layout.hpp"
#include "torch/device.hpp"
#include "torch/samples.hpp"
#include "torch/torch_pch.hpp"

namespace fleet {

/// Weights, or what is laid out like them, at a place.
struct PlacedVector {
  torch::Tensor flat;
  std::vector<torch::Tensor> tensors;  ///< parts of it; in the layout's order
};

class Place {
 public:
  /// Error for a GPU where there is none.
  explicit Place(DeviceKind kind = DeviceKind::kCpu);

  /// In the host's memory as it is: what is brought or fetched is a view of what it was. Else each is a copy, from and
  /// to a GPU by way of pinned memory.
  [[nodiscard]] bool is_host() const { return kind_ == DeviceKind::kCpu; }

  [[nodiscard]] torch::Tensor bring(const torch::Tensor& host) const;
  /// Contiguous unless it is a view.
  [[nodiscard]] torch::Tensor fetch(const torch::Tensor& placed) const;

  /// On the host the view can be written through, whatever it is of.
  [[nodiscard]] torch::Tensor bring(std::span<const float> host) const;
  /// `placed`, which was made from `host` or room for it, is what `host` holds from now on.
  void fetch(const torch::Tensor& placed, std::span<float> host) const;

  [[nodiscard]] PlacedVector bring(const ParamVector& weights) const;
  /// For what will be computed there; its values are undefined.
  [[nodiscard]] PlacedVector room_for(const ParamVector& weights) const;

 private:
  DeviceKind kind_;
  torch::Device device_;
};

/// The same samples, brought to `place` as they are loaded.
[[nodiscard]] std::shared_ptr<Samples> samples_at(const Place& place, std::shared_ptr<Samples> samples);

}  // namespace fleet
