#include "command/model_arguments.hpp"

#include <algorithm>
#include <array>

#include "command/command_line.hpp"
#include "io/model_file.hpp"
#include "io/toml.hpp"

namespace fleet {

namespace po = boost::program_options;

po::options_description model_options() {
  po::options_description options("Options");
  options.add_options()("set", po::value<Arguments>()->composing(),
                        "KEY=VALUE: over the models' settings, say run.data=DIR; may be repeated");
  return options;
}

std::vector<std::filesystem::path> models_of(const po::variables_map& values) {
  const Arguments& names = values["MODEL"].as<Arguments>();
  if (names.size() < 2) throw ConfigError("it takes two models or more");
  return {names.begin(), names.end()};
}

Settings overrides_of(const po::variables_map& values) {
  Settings overrides;
  if (!values.contains("set")) return overrides;
  for (const std::string& text : values["set"].as<Arguments>()) overrides.insert(parse_override(text));
  return overrides;
}

void check_keys(const Settings& overrides, const std::filesystem::path& first, const Settings& others) {
  Settings known = read_model(first).settings;
  known.insert(others.begin(), others.end());
  reject_unknown_keys(overrides, known);
}

void require_none_of(const std::filesystem::path& output, const std::vector<std::filesystem::path>& models) {
  for (const std::filesystem::path& model : models) {
    std::error_code absent;
    if (std::filesystem::equivalent(output, model, absent)) {
      throw ConfigError(cat("-o ", output.string(), " is one of the models to be merged; choose another name"));
    }
  }
}

void require_named_as(ModelKind kind, const std::filesystem::path& output) {
  const bool hdf5 = kind == ModelKind::kHdf5;
  static constexpr std::array kOthers{".pt", ".pth", ".bin", ".ckpt", ".pkl", ".npz", ".onnx"};
  const std::string extension = output.extension().string();
  const bool other = hdf5 ? extension == ".safetensors" : extension == ".h5" || extension == ".hdf5";
  if (!other && std::ranges::count(kOthers, extension) == 0) return;
  throw ConfigError(
      cat("-o ", output.string(), ": what is merged from such models is ",
          hdf5 ? "a model of fleet: expected a name that ends in .h5; `fleet export` makes safetensors of it"
               : "written as safetensors; expected a name that ends so, or that of a folder"));
}

}  // namespace fleet
