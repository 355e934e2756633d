#include "torch/place.hpp"

#include "base/error.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

torch::Tensor view_of(std::span<const float> values) {
  // from_blob() has no const form.
  return torch::from_blob(const_cast<float*>(values.data()), {std::ssize(values)}, torch::kFloat32);  // NOLINT
}

/// Each part counts its changes by itself, as separate buffers would: else running statistics, which a training pass
/// changes, would spoil for autograd the weights that it has yet to go back through.
std::vector<torch::Tensor> parts_of(const torch::Tensor& flat, const ParamLayout& layout) {
  std::vector<torch::Tensor> parts;
  for (const TensorSpec& tensor : layout.tensors()) {
    const torch::Tensor part =
        flat.narrow(0, static_cast<std::int64_t>(tensor.offset), static_cast<std::int64_t>(tensor.size));
    parts.push_back(part.view(tensor.shape).variable_data());
  }
  return parts;
}

class SamplesElsewhere final : public Samples {
 public:
  SamplesElsewhere(const Place& place, std::shared_ptr<Samples> samples)
      : place_(place), samples_(std::move(samples)) {}

  std::int64_t size() const override { return samples_->size(); }
  void load(std::span<const std::int32_t> samples) override {
    samples_->load(samples);
    bring();
  }
  void load_varied(std::span<const std::int32_t> samples, RandomStream& stream) override {
    samples_->load_varied(samples, stream);
    bring();
  }

 private:
  void bring() {
    inputs_ = place_.bring(samples_->inputs());
    if (samples_->steps().defined()) steps_ = place_.bring(samples_->steps());
    targets_ = place_.bring(samples_->targets());
  }

  Place place_;
  std::shared_ptr<Samples> samples_;
};

}  // namespace

Place::Place(DeviceKind kind) : kind_(kind), device_(kind == DeviceKind::kCuda ? torch::kCUDA : torch::kCPU) {
  if (!device_.is_cuda()) return;
  require(torch::cuda::is_available(), "there is no GPU for run.device = \"cuda\"");
  // Full single precision and one algorithm for a convolution, so that results stay near the processor's.
  at::globalContext().setAllowTF32CuBLAS(false);
  at::globalContext().setAllowTF32CuDNN(false);
  at::globalContext().setDeterministicCuDNN(true);
}

torch::Tensor Place::bring(const torch::Tensor& host) const {
  if (is_host()) return host;
  // LibTorch does not reuse pinned memory before the copy out of it has ended.
  return device_.is_cuda() ? host.pin_memory().to(device_, /*non_blocking=*/true) : host.clone();
}

torch::Tensor Place::fetch(const torch::Tensor& placed) const {
  if (is_host()) return placed;
  const auto options = placed.options().device(torch::kCPU).pinned_memory(device_.is_cuda());
  return torch::empty(placed.sizes(), options).copy_(placed);
}

torch::Tensor Place::bring(std::span<const float> host) const {
  return bring(view_of(host));
}

void Place::fetch(const torch::Tensor& placed, std::span<float> host) const {
  if (!is_host()) view_of(host).copy_(fetch(placed));
}

PlacedVector Place::bring(const ParamVector& weights) const {
  if (is_host()) return {.flat = view_of(weights.flat()), .tensors = Network::views(weights)};
  const torch::Tensor flat = bring(weights.flat());
  return {.flat = flat, .tensors = parts_of(flat, weights.layout())};
}

PlacedVector Place::room_for(const ParamVector& weights) const {
  if (is_host()) return bring(weights);
  const torch::Tensor flat = torch::empty({std::ssize(weights.flat())}, torch::dtype(torch::kFloat32).device(device_));
  return {.flat = flat, .tensors = parts_of(flat, weights.layout())};
}

std::shared_ptr<Samples> samples_at(const Place& place, std::shared_ptr<Samples> samples) {
  if (place.is_host()) return samples;
  return std::make_shared<SamplesElsewhere>(place, std::move(samples));
}

}  // namespace fleet
