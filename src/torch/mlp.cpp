#include "torch/mlp.hpp"

#include "base/error.hpp"
#include "torch/network.hpp"
#include "torch/norm.hpp"

namespace fleet {
namespace {

enum class Activation { kRelu, kTanh };
constexpr std::array<std::pair<std::string_view, Activation>, 2> kActivations{
    {{"relu", Activation::kRelu}, {"tanh", Activation::kTanh}}};

/// h_{l+1} = sigma(W_l h_l + b_l), the last layer without sigma (FLEET-MERGE eq. 2.1); normalised before sigma if
/// asked.
class Mlp final : public Network {
 public:
  Mlp(const std::vector<int>& widths, Activation activation, NormKind norm, GroupKind units)
      : Network(blueprint_of(widths, norm, units)), activation_(activation), norm_(norm) {}

  torch::Tensor forward(const std::vector<torch::Tensor>& parameters, const torch::Tensor& inputs,
                        Pass& pass) const override {
    torch::Tensor hidden = inputs;
    for (std::size_t l = 0; l < maps().size(); ++l) {
      if (pass.ends_at(l, hidden)) return {};
      const AffineMap& map = maps()[l];
      hidden =
          torch::linear(hidden, parameters[map.weights.front()], map.bias ? parameters[*map.bias] : torch::Tensor());
      hidden = pass.probed(hidden);
      if (l + 1 == maps().size()) break;
      if (norm_ == NormKind::kBatch) hidden = batch_norm(hidden, parameters, *map.norm, pass.training);
      if (norm_ == NormKind::kLayer) hidden = layer_norm(hidden, parameters, *map.bias + 1);
      hidden = activation_ == Activation::kRelu ? hidden.relu_() : hidden.tanh_();
    }
    return hidden;
  }

 private:
  /// Each hidden layer is a group: it acts on the rows of its own weight and bias, the columns of the next weight.
  static Blueprint blueprint_of(const std::vector<int>& widths, NormKind norm, GroupKind units) {
    Blueprint blueprint;
    Features from{.size = widths.front(), .group = std::nullopt};
    for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
      const bool last = l + 2 == widths.size();
      Features to{.size = widths[l + 1], .group = std::nullopt};
      if (!last) to.group = blueprint.add_group("hidden." + std::to_string(l), to.size, units);
      blueprint.add_layer("layers." + std::to_string(l), from, to, last ? NormKind::kNone : norm);
      from = to;
    }
    return blueprint;
  }

  Activation activation_;
  NormKind norm_;
};

}  // namespace

std::shared_ptr<const Network> make_mlp(SettingsReader& settings, const NetworkShape& shape) {
  std::vector<int> hidden{128, 128};
  if (!shape.hidden.empty()) hidden.assign(shape.hidden.begin(), shape.hidden.end());
  Activation activation = Activation::kRelu;
  NormKind norm = NormKind::kNone;
  read_widths(settings, "model.hidden", hidden, "Widths of the hidden layers.");
  settings.read("model.activation", activation, Names<Activation>(kActivations), "Nonlinearity of the hidden units.");
  settings.read("model.norm", norm, Names<NormKind>(kNorms), "Normalisation of the hidden layers.");
  GroupKind units = GroupKind::kPermutation;
  if (activation == Activation::kTanh && norm == NormKind::kNone) units = read_sign_flips(settings);
  std::vector<int> widths{shape.inputs};
  widths.insert(widths.end(), hidden.begin(), hidden.end());
  widths.push_back(shape.outputs);
  return std::make_shared<Mlp>(widths, activation, norm, units);
}

std::shared_ptr<const Network> make_tanh_mlp(const std::vector<int>& widths) {
  return std::make_shared<Mlp>(widths, Activation::kTanh, NormKind::kNone, GroupKind::kPermutation);
}

}  // namespace fleet
