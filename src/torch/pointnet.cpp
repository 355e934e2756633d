#include "torch/pointnet.hpp"

#include "torch/network.hpp"
#include "torch/point_encoder.hpp"

namespace fleet {
namespace {

/// A PointEncoder before a perceptron with ReLU.
class PointNet final : public Network {
 public:
  PointNet(PointEncoder encoder, const std::vector<int>& hidden, int outputs)
      : Network(blueprint_of(encoder, hidden, outputs)), encoder_(std::move(encoder)) {}

  int samples_at_once() const override { return 125; }

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        Pass& pass) const override {
    torch::Tensor hidden = encoder_.encode(parameters, inputs, pass);
    if (!hidden.defined()) return {};
    for (std::size_t l = encoder_.maps(); l < maps().size(); ++l) {
      if (pass.ends_at(l, hidden)) return {};
      hidden = pass.probed(torch::linear(hidden, parameters[2 * l], parameters[2 * l + 1]));
      if (l + 1 < maps().size()) hidden = hidden.relu_();
    }
    return hidden;
  }

 private:
  static Blueprint blueprint_of(const PointEncoder& encoder, const std::vector<int>& hidden, int outputs) {
    Blueprint blueprint;
    Features from = encoder.add_to(blueprint);
    for (std::size_t l = 0; l < hidden.size(); ++l) {
      const Features to{.size = hidden[l], .group = blueprint.add_group("hidden." + std::to_string(l), hidden[l])};
      blueprint.add_layer("layers." + std::to_string(l), from, to);
      from = to;
    }
    blueprint.add_layer("layers." + std::to_string(hidden.size()), from, {.size = outputs, .group = std::nullopt});
    return blueprint;
  }

  PointEncoder encoder_;
};

}  // namespace

std::shared_ptr<const Network> make_pointnet(SettingsReader& settings, const NetworkShape& shape) {
  PointEncoder encoder = PointEncoder::read(settings, shape);
  std::vector<int> hidden{128};
  read_widths(settings, "model.hidden", hidden, "Widths of the layers behind the largest values of all points.");
  return std::make_shared<PointNet>(std::move(encoder), hidden, shape.outputs);
}

}  // namespace fleet
