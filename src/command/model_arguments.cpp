#include "command/model_arguments.hpp"

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

}  // namespace fleet
