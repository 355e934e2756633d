// `fleet export A.h5`: a saved model as PyTorch's world keeps them, with what is known of its symmetry.
#include <iostream>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/foreign_models.hpp"
#include "io/model_file.hpp"
#include "train/shared_keys.hpp"
#include "version.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

/// NAME.safetensors -> NAME.symmetry.json
fs::path symmetry_beside(const fs::path& output) {
  return fs::path(output).replace_extension(".symmetry.json");
}

void export_to(const fs::path& output, const SavedModel& model) {
  std::uint64_t seed = 0;
  SettingsReader(model.settings).read("seed", seed, about::kSeed);
  const ParamLayout& layout = model.weights.layout();
  std::vector<StoredTensor> tensors;
  for (const TensorSpec& tensor : layout.tensors()) {
    tensors.push_back({.name = tensor.name, .type = NumberType::kF32, .shape = tensor.shape});
  }
  SafetensorsWriter writer(output, std::move(tensors),
                           {{"format", "pt"},
                            {kMadeByEntry, cat("fleet ", kVersion)},
                            {kSamplesEntry, std::to_string(model.samples)},
                            {kSeedEntry, std::to_string(seed)},
                            {kRoundEntry, std::to_string(model.round)}});
  for (std::size_t t = 0; t < layout.tensors().size(); ++t) {
    writer.write(writer.tensors()[t], model.weights.tensor(t));
  }
  writer.commit();
  write_file_atomically(symmetry_beside(output), network_json({.symmetry = model.symmetry, .maps = {}, .aliases = {}}));
}

int export_one(const Call& call) {
  const fs::path path = call.get("MODEL");
  if (!call.has("output")) throw ConfigError("say where it is to go: -o A.safetensors");
  const fs::path output = call.get("output");
  if (output.extension() != ".safetensors") {
    throw ConfigError(cat("-o ", output.string(), ": expected a name that ends in .safetensors"));
  }
  require_replaceable(output, kOwnWeights);
  require_replaceable(symmetry_beside(output), kOwnNetwork);
  export_to(output, read_model(path));
  std::cout << output.string() << "\n" << symmetry_beside(output).string() << std::endl;
  return 0;
}

po::options_description options() {
  po::options_description options("Options");
  options.add_options()("output,o", po::value<std::string>(), "A.safetensors; A.symmetry.json is written beside it");
  return options;
}

}  // namespace

Command command::export_model() {
  return {.name = "export",
          .summary = "a saved model for PyTorch: fleet export A.h5 -o A.safetensors",
          .usage = "MODEL.h5 -o FILE.safetensors",
          .operand = {.name = "MODEL", .is = Operand::Is::kFile, .ending = ".h5"},
          .options = options,
          .run = export_one};
}

}  // namespace fleet
