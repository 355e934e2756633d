#include "torch/mlp.hpp"

#include <cmath>

#include "torch/network.hpp"

namespace fleet {
namespace {

enum class Activation { kRelu, kTanh };
constexpr std::array<std::pair<std::string_view, Activation>, 2> kActivations{
    {{"relu", Activation::kRelu}, {"tanh", Activation::kTanh}}};

/// h_{l+1} = sigma(W_l h_l + b_l), the last layer without sigma (FLEET-MERGE eq. 2.1).
class Mlp final : public Network {
 public:
  Mlp(const std::vector<int>& widths, Activation activation)
      : Network(symmetry_of(widths), maps_of(widths)), activation_(activation) {}

  void initialize(ParamVector& weights, RandomStream& stream) const override {
    // U(-1/sqrt(fan_in), 1/sqrt(fan_in)) for weights and biases, as torch::nn::Linear.
    for (std::size_t i = 0; i < weights.layout().tensors().size(); i += 2) {
      const double bound = 1.0 / std::sqrt(static_cast<double>(weights.layout().tensors()[i].shape[1]));
      for (const std::size_t tensor : {i, i + 1}) {
        for (float& w : weights.tensor(tensor)) {
          w = static_cast<float>(bound * (2.0 * stream.uniform() - 1.0));
        }
      }
    }
  }

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        MapCapture* capture) const override {
    torch::Tensor hidden = inputs;
    for (std::size_t i = 0; i < parameters.size(); i += 2) {
      torch::Tensor outputs = torch::linear(hidden, parameters[i], parameters[i + 1]);
      if (capture != nullptr && capture->map == i / 2) {
        capture->inputs = std::move(hidden);
        capture->outputs = std::move(outputs);
        return {};
      }
      hidden = std::move(outputs);
      if (i + 2 == parameters.size()) break;
      hidden = activation_ == Activation::kRelu ? hidden.relu_() : hidden.tanh_();
    }
    return hidden;
  }

 private:
  static std::vector<AffineMap> maps_of(const std::vector<int>& widths) {
    std::vector<AffineMap> maps;
    for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
      maps.push_back(
          {.name = "layers." + std::to_string(l), .weights = {2 * l}, .bias = 2 * l + 1, .sees_data = l == 0});
    }
    return maps;
  }

  /// Each hidden layer is a group: it permutes the rows of its own weight and bias, the columns of the next weight.
  static SymmetrySpec symmetry_of(const std::vector<int>& widths) {
    auto layout = std::make_shared<ParamLayout>();
    std::vector<SymmetryGroup> groups;
    std::vector<SymmetryAction> actions;
    for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
      const std::string layer = "layers." + std::to_string(l);
      layout->add(layer + ".weight", {widths[l + 1], widths[l]});
      layout->add(layer + ".bias", {widths[l + 1]});
      if (l > 0) actions.push_back({.tensor = 2 * l, .axis = 1, .group = l - 1});
      if (l + 2 == widths.size()) break;
      groups.push_back({"hidden." + std::to_string(l), widths[l + 1]});
      actions.push_back({.tensor = 2 * l, .axis = 0, .group = l});
      actions.push_back({.tensor = 2 * l + 1, .axis = 0, .group = l});
    }
    return {std::move(layout), std::move(groups), std::move(actions)};
  }

  Activation activation_;
};

}  // namespace

std::shared_ptr<const Network> make_mlp(SettingsReader& settings, const NetworkShape& shape) {
  std::vector<int> hidden{128, 128};
  Activation activation = Activation::kRelu;
  settings.read("model.hidden", hidden, at_least(1));
  settings.read("model.activation", activation, Names<Activation>(kActivations));
  std::vector<int> widths{shape.inputs};
  widths.insert(widths.end(), hidden.begin(), hidden.end());
  widths.push_back(shape.outputs);
  return std::make_shared<Mlp>(widths, activation);
}

}  // namespace fleet
