#include "torch/norm.hpp"

namespace fleet {
namespace {

constexpr double kMomentum = 0.1;  // of the running statistics
constexpr double kGroupNormEpsilon = 1e-5;

}  // namespace

torch::Tensor batch_norm(const torch::Tensor& values, const std::vector<torch::Tensor>& parameters,
                         const BatchNorm& norm, bool training) {
  const torch::Tensor& scale = parameters[norm.scale];
  const torch::Tensor& shift = parameters[norm.shift];
  if (training && values.numel() > values.size(1)) {
    return torch::batch_norm(values, scale, shift, parameters[norm.mean], parameters[norm.variance], true, kMomentum,
                             BatchNorm::kEpsilon, false);
  }
  // By hand, since torch's knows no gradient with respect to the statistics, which alignment moves too.
  std::vector<std::int64_t> shape(static_cast<std::size_t>(values.dim()), 1);
  shape[1] = values.size(1);
  const torch::Tensor gain = scale * (parameters[norm.variance] + BatchNorm::kEpsilon).rsqrt();
  return values * gain.view(shape) + (shift - gain * parameters[norm.mean]).view(shape);
}

torch::Tensor group_norm(const torch::Tensor& values, std::int64_t groups, const std::vector<torch::Tensor>& parameters,
                         std::size_t scale) {
  return torch::group_norm(values, groups, parameters[scale], parameters[scale + 1], kGroupNormEpsilon, false);
}

torch::Tensor layer_norm(const torch::Tensor& values, const std::vector<torch::Tensor>& parameters, std::size_t scale) {
  return group_norm(values, 1, parameters, scale);
}

}  // namespace fleet
