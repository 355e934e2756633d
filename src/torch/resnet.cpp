#include "torch/resnet.hpp"

#include "base/error.hpp"
#include "torch/network.hpp"
#include "torch/norm.hpp"
#include "torch/patches.hpp"

namespace fleet {
namespace {

constexpr std::array<std::pair<std::string_view, NormKind>, 4> kResidualNorms{
    {{"batch", NormKind::kBatch}, {"group", NormKind::kGroup}, {"layer", NormKind::kLayer}, {"none", NormKind::kNone}}};

struct ResNetShape {
  NetworkShape data;
  std::vector<int> channels{16, 32, 64};
  int blocks = 1;
  NormKind norm = NormKind::kBatch;
  int norm_groups = 1;
};

/// Block: relu(x + norm(W2 * relu(norm(W1 * x)))), where x goes through a 1 x 1 convolution if the sizes differ.
class ResNet final : public Network {
 public:
  explicit ResNet(const ResNetShape& shape) : Network(blueprint_of(shape)), shape_(shape) {}

  int samples_at_once() const override { return 125; }

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        Pass& pass) const override {
    const NetworkShape& data = shape_.data;
    std::size_t map = 0;
    // Behind its norm; undefined if the pass ends before it.
    const auto convolve = [&](const torch::Tensor& image, int stride) -> torch::Tensor {
      const AffineMap& layer = maps()[map];
      const torch::Tensor& kernel = parameters[layer.weights.front()];
      const std::int64_t side = kernel.size(2);
      if (pass.stop_before == map) {
        pass.entering = patches_of(image, side, stride);
        return {};
      }
      ++map;
      const torch::Tensor bias = layer.bias ? parameters[*layer.bias] : torch::Tensor();
      const torch::Tensor outputs = pass.probed(torch::conv2d(image, kernel, bias, stride, side / 2));
      if (layer.norm) return batch_norm(outputs, parameters, *layer.norm, pass.training);
      if (shape_.norm == NormKind::kNone) return outputs;
      return group_norm(outputs, shape_.norm_groups, parameters, *layer.bias + 1);
    };
    torch::Tensor hidden = convolve(inputs.view({inputs.size(0), data.channels, data.height, data.width}), 1);
    if (!hidden.defined()) return {};
    hidden = hidden.relu_();
    for (std::size_t stage = 0; stage < shape_.channels.size(); ++stage) {
      for (int block = 0; block < shape_.blocks; ++block) {
        const bool halves = stage > 0 && block == 0;
        const int stride = halves ? 2 : 1;
        torch::Tensor inner = convolve(hidden, stride);
        if (!inner.defined()) return {};
        inner = convolve(inner.relu_(), 1);
        if (!inner.defined()) return {};
        const torch::Tensor shortcut = halves ? convolve(hidden, stride) : hidden;
        if (!shortcut.defined()) return {};
        hidden = (inner + shortcut).relu_();
      }
    }
    hidden = hidden.mean({2, 3});
    if (pass.ends_at(map, hidden)) return {};
    const AffineMap& head = maps()[map];
    return pass.probed(torch::linear(hidden, parameters[head.weights.front()], parameters[*head.bias]));
  }

 private:
  /// The channels of a stage's residual stream are one group, permuted wherever it is read or written; the inner
  /// channels of each block are another.
  static Blueprint blueprint_of(const ResNetShape& shape) {
    constexpr int kKernel = 3;
    Blueprint blueprint;
    const auto units = [&](const std::string& name, int size) {
      return blueprint.add_units(name, size, shape.norm == NormKind::kGroup ? shape.norm_groups : 1);
    };
    Features stream = units("stages.0", shape.channels.front());
    blueprint.add_layer("stem", {.size = shape.data.channels}, stream, shape.norm, kKernel);
    for (std::size_t stage = 0; stage < shape.channels.size(); ++stage) {
      for (int block = 0; block < shape.blocks; ++block) {
        const std::string name = cat("stages.", stage, ".", block);
        const bool halves = stage > 0 && block == 0;
        const Features from = stream;
        if (halves) stream = units(cat("stages.", stage), shape.channels[stage]);
        const Features inner = units(name, shape.channels[stage]);
        blueprint.add_layer(name + ".in", from, inner, shape.norm, kKernel);
        blueprint.add_layer(name + ".out", inner, stream, shape.norm, kKernel);
        if (halves) blueprint.add_layer(name + ".shortcut", from, stream, shape.norm, 1);
      }
    }
    blueprint.add_layer("head", stream, {.size = shape.data.outputs});
    return blueprint;
  }

  ResNetShape shape_;
};

}  // namespace

std::shared_ptr<const Network> make_resnet(SettingsReader& settings, const NetworkShape& data) {
  ResNetShape shape{.data = data};
  read_widths(settings, "model.channels", shape.channels, "Channels of each convolution; of a resnet, of each stage.");
  settings.read("model.blocks", shape.blocks, between(1, 100), "Residual blocks of each stage.");
  settings.read("model.norm", shape.norm, Names<NormKind>(kResidualNorms), "Normalisation of the hidden layers.");
  const auto written = [&](const char* key) { return settings.resolved().at(key); };
  if (shape.channels.empty()) reject("model.channels", written("model.channels"), "a resnet has at least one stage");
  if (const int halvings = static_cast<int>(shape.channels.size()) - 1;
      halvings > 30 || (std::min(data.height, data.width) >> halvings) == 0) {
    reject("model.channels", written("model.channels"),
           cat("images of ", data.height, " x ", data.width, " cannot be halved ", halvings, " times"));
  }
  if (shape.norm != NormKind::kGroup) return std::make_shared<ResNet>(shape);
  shape.norm_groups = 8;
  settings.read("model.norm_groups", shape.norm_groups, between(1, 256),
                "Groups of channels that are normalised together.");
  for (const int channels : shape.channels) {
    if (channels % shape.norm_groups == 0) continue;
    reject("model.norm_groups", written("model.norm_groups"),
           cat("it must divide all of model.channels, of which one is ", channels));
  }
  return std::make_shared<ResNet>(shape);
}

}  // namespace fleet
