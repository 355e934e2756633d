#include "torch/cnn.hpp"

#include "base/error.hpp"
#include "torch/network.hpp"
#include "torch/norm.hpp"
#include "torch/patches.hpp"

namespace fleet {
namespace {

struct CnnShape {
  NetworkShape data;
  std::vector<int> channels;
  int kernel = 3;
  std::vector<int> hidden;
  NormKind norm = NormKind::kNone;
};

/// Convolutions that keep the image's size, each with ReLU and 2 x 2 max pooling; then a perceptron.
class Cnn final : public Network {
 public:
  explicit Cnn(const CnnShape& shape) : Network(blueprint_of(shape)), shape_(shape) {}

  int samples_at_once() const override { return 125; }

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        Pass& pass) const override {
    const NetworkShape& data = shape_.data;
    torch::Tensor hidden = inputs.view({inputs.size(0), data.channels, data.height, data.width});
    for (std::size_t l = 0; l < maps().size(); ++l) {
      const bool convolution = l < shape_.channels.size();
      if (l == shape_.channels.size()) hidden = hidden.flatten(1);
      if (pass.stop_before == l) {
        pass.entering = convolution ? patches_of(hidden, shape_.kernel) : hidden;
        return {};
      }
      const AffineMap& map = maps()[l];
      const torch::Tensor bias = map.bias ? parameters[*map.bias] : torch::Tensor();
      hidden = convolution ? torch::conv2d(hidden, parameters[map.weights.front()], bias, 1, shape_.kernel / 2)
                           : torch::linear(hidden, parameters[map.weights.front()], bias);
      hidden = pass.probed(hidden);
      if (l + 1 == maps().size()) break;
      if (map.norm) hidden = batch_norm(hidden, parameters, *map.norm, pass.training);
      if (shape_.norm == NormKind::kLayer) hidden = layer_norm(hidden, parameters, *map.bias + 1);
      hidden = hidden.relu_();
      if (convolution) hidden = torch::max_pool2d(hidden, 2);
    }
    return hidden;
  }

 private:
  /// Each layer's channels or units are a group; flattening leaves a channel's pixels side by side.
  static Blueprint blueprint_of(const CnnShape& shape) {
    Blueprint blueprint;
    Features from{.size = shape.data.channels, .group = std::nullopt};
    int height = shape.data.height;
    int width = shape.data.width;
    for (std::size_t l = 0; l < shape.channels.size(); ++l) {
      const std::string name = "convolutions." + std::to_string(l);
      const Features to{.size = shape.channels[l], .group = blueprint.add_group(name, shape.channels[l])};
      blueprint.add_layer(name, from, to, shape.norm, shape.kernel);
      from = to;
      height /= 2;
      width /= 2;
    }
    from.inner = height * width;
    from.size *= from.inner;
    for (std::size_t l = 0; l < shape.hidden.size(); ++l) {
      const Features to{.size = shape.hidden[l],
                        .group = blueprint.add_group("hidden." + std::to_string(l), shape.hidden[l])};
      blueprint.add_layer("layers." + std::to_string(l), from, to, shape.norm);
      from = to;
    }
    blueprint.add_layer("layers." + std::to_string(shape.hidden.size()), from,
                        {.size = shape.data.outputs, .group = std::nullopt});
    return blueprint;
  }

  CnnShape shape_;
};

}  // namespace

std::shared_ptr<const Network> make_cnn(SettingsReader& settings, const NetworkShape& data) {
  CnnShape shape{.data = data, .channels = {16, 32}, .hidden = {64}};
  read_widths(settings, "model.channels", shape.channels, "Channels of each convolution; of a resnet, of each stage.");
  settings.read("model.kernel", shape.kernel, between(1, 999), "Width of the convolutions' kernels; odd.");
  read_widths(settings, "model.hidden", shape.hidden, "Widths of the layers after flattening.");
  settings.read("model.norm", shape.norm, Names<NormKind>(kNorms), "Normalisation of the hidden layers.");
  const auto written = [&](const char* key) { return settings.resolved().at(key); };
  if (shape.channels.empty()) reject("model.channels", written("model.channels"), "a CNN has at least one convolution");
  if (shape.kernel % 2 == 0)
    reject("model.kernel", written("model.kernel"), "it must be odd, to keep the image's size");
  if (const int halvings = static_cast<int>(shape.channels.size());
      halvings > 30 || (std::min(data.height, data.width) >> halvings) == 0) {
    reject("model.channels", written("model.channels"),
           cat("images of ", data.height, " x ", data.width, " cannot be halved ", halvings, " times"));
  }
  return std::make_shared<Cnn>(shape);
}

}  // namespace fleet
