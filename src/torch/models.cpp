#include "torch/models.hpp"

#include <algorithm>
#include <limits>

#include "torch/cnn.hpp"
#include "torch/decision_transformer.hpp"
#include "torch/mlp.hpp"
#include "torch/network.hpp"
#include "torch/pointnet.hpp"
#include "torch/recurrent.hpp"
#include "torch/resnet.hpp"
#include "torch/transformer.hpp"

namespace fleet {
namespace {

using Input = NetworkShape::Input;
constexpr std::array kFlat = {Input::kFeatures, Input::kImage};
constexpr std::array kImages = {Input::kImage};
constexpr std::array kClouds = {Input::kPoints};
constexpr std::array kLives = {Input::kTrajectory};
constexpr std::array kSteps = {Input::kText, Input::kSequence};

constexpr std::size_t kMostWeights = std::numeric_limits<int>::max();  // MPI counts in int

constexpr std::array kModels = {
    ModelEntry{"mlp", "multilayer perceptron of any depth and width", kFlat, make_mlp},
    ModelEntry{"cnn", "convolutions with pooling, then a perceptron", kImages, make_cnn},
    ModelEntry{"resnet", "convolutions with residual connections, then a linear layer", kImages, make_resnet},
    ModelEntry{"pointnet", "the same layers for every point, the largest values, then a perceptron", kClouds,
               make_pointnet},
    ModelEntry{"lstm", "long short-term memory", kSteps, make_recurrent},
    ModelEntry{"gru", "gated recurrent units", kSteps, make_recurrent},
    ModelEntry{"rnn", "Elman's recurrent network", kSteps, make_recurrent},
    ModelEntry{"transformer", "causal attention blocks", kSteps, make_transformer},
    ModelEntry{"decision-transformer", "causal attention blocks over returns to go, states and actions", kLives,
               make_decision_transformer},
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
    case Input::kPoints:
      return "clouds of points";
    case Input::kTrajectory:
      return "trajectories";
  }
  return "";
}

/// Rejects a network by the first of the sizes that somebody has chosen.
[[noreturn]] void reject_size(const SettingsReader& settings, std::size_t weights) {
  std::pair<std::string, Setting> chosen{"model.kind", settings.resolved().at("model.kind")};
  for (const char* key :
       {"model.width", "model.feedforward", "model.layers", "model.channels", "model.points", "model.hidden"}) {
    const auto setting = settings.resolved().find(std::string_view(key));
    if (setting == settings.resolved().end() || setting->second.source.file == "default") continue;
    chosen = *setting;
    break;
  }
  reject(chosen.first, chosen.second,
         cat("this makes a network of ", weights, " weights; it may have ", kMostWeights,
             ", as many as a message between ranks"));
}

bool takes(const ModelEntry& model, Input input) {
  return std::find(model.takes.begin(), model.takes.end(), input) != model.takes.end();
}

/// Reads "model.kind"; by default the first that takes such data.
std::string read_kind(SettingsReader& settings, Input input) {
  std::vector<std::string_view> names;
  std::string kind;
  for (const ModelEntry& model : kModels) {
    names.push_back(model.name);
    if (kind.empty() && takes(model, input)) kind = model.name;
  }
  settings.read("model.kind", kind, names, "The network's architecture.");
  return kind;
}

}  // namespace

std::span<const ModelEntry> model_table() {
  return kModels;
}

std::shared_ptr<const Network> make_network(SettingsReader& settings, const NetworkShape& shape) {
  const std::string kind = read_kind(settings, shape.input);
  std::string fitting;
  for (const ModelEntry& model : kModels) {
    if (takes(model, shape.input)) fitting += cat(fitting.empty() ? "" : ", ", model.name);
  }
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
  std::shared_ptr<const Network> network = model->make(settings, shape);
  if (const std::size_t weights = parameter_count(*network); weights > kMostWeights) reject_size(settings, weights);
  return network;
}

void read_widths(SettingsReader& settings, std::string_view key, std::vector<int>& widths, Sentence about) {
  settings.read(key, widths, between(1, kWidest), about);
  if (widths.size() <= static_cast<std::size_t>(kMostLayers)) return;
  reject(key, settings.resolved().find(key)->second,
         cat("these are ", widths.size(), " layers; there may be ", kMostLayers));
}

GroupKind read_sign_flips(SettingsReader& settings) {
  bool flips = false;
  settings.read("model.sign_flips", flips, "Whether alignments may negate units, too, where the activation is odd.");
  return flips ? GroupKind::kSigned : GroupKind::kPermutation;
}

NetworkShape choose_shape(SettingsReader& settings, std::span<const NetworkShape> shapes) {
  const std::string kind = read_kind(settings, shapes.front().input);
  std::string fitting;
  for (const ModelEntry& model : kModels) {
    const auto shape = std::find_if(shapes.begin(), shapes.end(),
                                    [&](const NetworkShape& candidate) { return takes(model, candidate.input); });
    if (shape == shapes.end()) continue;
    if (model.name == kind) return *shape;
    fitting += cat(fitting.empty() ? "" : ", ", model.name);
  }
  reject("model.kind", settings.resolved().at("model.kind"), cat("such data are for ", fitting));
}

std::size_t parameter_count(const Network& network) {
  return network.layout()->size();
}

std::shared_ptr<const ParamLayout> layout_of(const Network& network) {
  return network.layout();
}

std::shared_ptr<const std::vector<AffineMap>> maps_of(const std::shared_ptr<const Network>& network) {
  return {network, &network->maps()};
}

}  // namespace fleet
