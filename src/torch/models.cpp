#include "torch/models.hpp"

#include <algorithm>

#include "torch/cnn.hpp"
#include "torch/mlp.hpp"
#include "torch/network.hpp"
#include "torch/recurrent.hpp"
#include "torch/transformer.hpp"

namespace fleet {
namespace {

using Input = NetworkShape::Input;
constexpr std::array kFlat = {Input::kFeatures, Input::kImage};
constexpr std::array kImages = {Input::kImage};
constexpr std::array kSteps = {Input::kText, Input::kSequence};

constexpr std::array kModels = {
    ModelEntry{"mlp", "multilayer perceptron of any depth and width", kFlat, make_mlp},
    ModelEntry{"cnn", "convolutions with pooling, then a perceptron", kImages, make_cnn},
    ModelEntry{"lstm", "long short-term memory", kSteps, make_recurrent},
    ModelEntry{"gru", "gated recurrent units", kSteps, make_recurrent},
    ModelEntry{"rnn", "Elman's recurrent network", kSteps, make_recurrent},
    ModelEntry{"transformer", "causal attention blocks", kSteps, make_transformer},
};

constexpr std::string_view name_of(Input input) {
  switch (input) {
    case Input::kFeatures:
      return "vectors";
    case Input::kImage:
      return "images";
    case Input::kText:
      return "text";
    case Input::kSequence:
      return "sequences of vectors";
  }
  return "";
}

bool takes(const ModelEntry& model, Input input) {
  return std::find(model.takes.begin(), model.takes.end(), input) != model.takes.end();
}

}  // namespace

std::span<const ModelEntry> model_table() {
  return kModels;
}

std::shared_ptr<const Network> make_network(SettingsReader& settings, const NetworkShape& shape) {
  std::vector<std::string_view> names;
  std::string fitting;
  std::string kind;
  for (const ModelEntry& model : kModels) {
    names.push_back(model.name);
    if (!takes(model, shape.input)) continue;
    if (kind.empty()) kind = model.name;
    fitting += cat(fitting.empty() ? "" : ", ", model.name);
  }
  settings.read("model.kind", kind, names);
  const auto model =
      std::find_if(kModels.begin(), kModels.end(), [&](const auto& entry) { return entry.name == kind; });
  if (!takes(*model, shape.input)) {
    reject("model.kind", settings.resolved().at("model.kind"),
           cat("the data are ", name_of(shape.input), ", which these take: ", fitting));
  }
  settings.rule_out(
      "model.sign_flips",
      "units can be negated where their activation is odd: in rnn, and in mlp without normalisation, with "
      "model.activation = \"tanh\"");
  return model->make(settings, shape);
}

GroupKind read_sign_flips(SettingsReader& settings) {
  bool flips = false;
  settings.read("model.sign_flips", flips);
  return flips ? GroupKind::kSigned : GroupKind::kPermutation;
}

NetworkShape choose_shape(SettingsReader& settings, std::span<const NetworkShape> shapes) {
  std::string kind;
  settings.read("model.kind", kind);
  std::string fitting;
  bool known = false;
  for (const ModelEntry& model : kModels) {
    const auto shape = std::find_if(shapes.begin(), shapes.end(),
                                    [&](const NetworkShape& candidate) { return takes(model, candidate.input); });
    known = known || model.name == kind;
    if (shape == shapes.end()) continue;
    if (model.name == kind) return *shape;
    fitting += cat(fitting.empty() ? "" : ", ", model.name);
  }
  if (known) {
    reject("model.kind", settings.resolved().at("model.kind"), cat("such data are for ", fitting));
  }
  return shapes.front();  // by default; make_network() tells of kinds that there are none of
}

std::size_t parameter_count(const Network& network) {
  return network.layout()->size();
}

}  // namespace fleet
