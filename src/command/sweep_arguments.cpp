#include "command/sweep_arguments.hpp"

#include "base/error.hpp"
#include "command/command_line.hpp"
#include "io/toml.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

/// Rejects two directories on one command line.
void reject_other_output(const Settings& settings, const std::string& output) {
  const auto known = settings.find("run.output");
  if (known == settings.end() || known->second.source.line > 0) return;  // of the file
  const auto* other = std::get_if<std::string>(&known->second.value.data);
  if (other != nullptr && without_trailing_slash(*other) == without_trailing_slash(output)) return;
  reject("run.output", known->second, cat("--output says ", output));
}

}  // namespace

po::options_description sweep_options() {
  po::options_description options("Options");
  options.add_options()("set", po::value<Arguments>()->composing(),
                        "KEY=VALUE: override a setting; may be repeated, the last of a key counts");
  options.add_options()("output,o", po::value<std::string>(), "directory of the sweep (run.output)");
  return options;
}

std::filesystem::path config_of(const po::variables_map& values) {
  return values["CONFIG"].as<std::string>();
}

Sweep read_sweep(const po::variables_map& values, const std::string& text, std::span<const WorldEntry> worlds,
                 Worlds& made) {
  const std::filesystem::path file = config_of(values);
  Settings settings = parse_toml(text, file.string());
  if (values.contains("set")) {
    for (const std::string& each : values["set"].as<Arguments>()) apply_override(each, settings);
  }
  if (values.contains("output")) {
    reject_other_output(settings, values["output"].as<std::string>());
    settings.insert_or_assign("run.output", Setting{Value(values["output"].as<std::string>()), Source{"--output"}});
  }
  return expand(settings, file.stem().string(), worlds, made);
}

}  // namespace fleet
