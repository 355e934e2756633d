#include "torch/models.hpp"

#include "torch/mlp.hpp"
#include "torch/network.hpp"

namespace fleet {
namespace {

constexpr std::array kModels = {
    ModelEntry{"mlp", "multilayer perceptron of any depth and width", make_mlp},
};

}  // namespace

std::span<const ModelEntry> model_table() {
  return kModels;
}

std::shared_ptr<const Network> make_network(SettingsReader& settings, const NetworkShape& shape) {
  std::vector<std::string_view> names;
  for (const ModelEntry& model : kModels) names.push_back(model.name);
  std::string kind(kModels.front().name);
  settings.read("model.kind", kind, names);
  for (const ModelEntry& model : kModels) {
    if (model.name == kind) return model.make(settings, shape);
  }
  throw Error("unreachable: model.kind was checked above");
}

std::size_t parameter_count(const Network& network) {
  return network.layout()->size();
}

}  // namespace fleet
