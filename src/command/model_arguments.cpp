#include "command/model_arguments.hpp"

#include "base/error.hpp"
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

}  // namespace fleet
