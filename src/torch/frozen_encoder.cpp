#include "torch/frozen_encoder.hpp"

#include <torch/script.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace fleet {
namespace {

/// What LibTorch says, without the trace of its calls.
std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

std::string shape_of(const torch::Tensor& tensor) {
  std::string text;
  for (const std::int64_t extent : tensor.sizes()) text += cat(text.empty() ? "" : " x ", extent);
  return text.empty() ? "a single number" : text;
}

}  // namespace

struct FrozenEncoder::Module {
  torch::jit::Module network;

  /// Without optimisation, which would come only with the second call and round otherwise.
  torch::Tensor run(const torch::Tensor& pictures) {
    const torch::NoGradGuard no_grad;
    const torch::jit::GraphOptimizerEnabledGuard as_written(false);
    return network.forward({pictures}).toTensor().to(torch::kFloat32).contiguous();
  }
};

FrozenEncoder::FrozenEncoder(const std::filesystem::path& file, int pictures, int height, int width)
    : file_(file), height_(height), width_(width), module_(std::make_unique<Module>()) {
  require(std::filesystem::is_regular_file(file), file.string(),
          ": there is no such file; scripts/make_encoder.py writes one");
  std::ifstream in(file, std::ios::binary);
  require(in.good(), file.string(), ": cannot be opened");
  std::stringstream bytes;
  bytes << in.rdbuf();
  digest_ = Hash().add(bytes.view()).hex();
  try {
    module_->network = torch::jit::load(bytes, torch::kCPU);
    module_->network.eval();
  } catch (const std::exception& error) {
    throw Error(cat(file.string(), ": not a TorchScript module that this LibTorch reads: ", first_line(error.what()),
                    "; scripts/make_encoder.py writes one"));
  }
  torch::Tensor tried;
  try {
    tried = module_->run(torch::zeros({pictures, 3, height, width}));
  } catch (const std::exception& error) {
    throw Error(
        cat(file.string(), ": takes no pictures of 3 x ", height, " x ", width, ": ", first_line(error.what())));
  }
  require(tried.dim() == 2 && tried.size(0) == pictures && tried.size(1) > 0, file.string(), ": of ", pictures,
          " x 3 x ", height, " x ", width, " it makes ", shape_of(tried), ", expected ", pictures,
          " x the number of features");
  features_ = static_cast<std::size_t>(tried.size(1));
  require(torch::isfinite(tried).all().item<bool>(), file.string(), ": a feature of a black picture is not finite");
}

FrozenEncoder::~FrozenEncoder() = default;

void FrozenEncoder::encode(std::span<const std::uint8_t> rgb, std::span<float> into) const {
  const std::int64_t pictures = std::ssize(rgb) / (std::int64_t{3} * height_ * width_);
  const torch::Tensor bytes =
      torch::from_blob(const_cast<std::uint8_t*>(rgb.data()), {pictures, height_, width_, 3}, torch::kUInt8);  // NOLINT
  torch::Tensor features;
  try {
    features = module_->run(bytes.permute({0, 3, 1, 2}).to(torch::kFloat32).div_(255.0).contiguous());
  } catch (const std::exception& error) {
    throw Error(cat(file_.string(), ": ", first_line(error.what())));
  }
  require(features.numel() == std::ssize(into), file_.string(), ": gives ", features.numel(), " numbers of ", pictures,
          " pictures, expected ", into.size());
  std::copy_n(features.data_ptr<float>(), into.size(), into.begin());
  require(std::ranges::all_of(into, [](float value) { return std::isfinite(value); }), file_.string(),
          ": a feature is not finite");
}

}  // namespace fleet
