#include "simulation/command_options.hpp"

#include <fstream>
#include <iterator>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "io/toml.hpp"

namespace fleet::simulation {

namespace po = boost::program_options;

void add_suite_options(OptionTexts& options, const SuiteEntry& world) {
  for (const SuiteOption& option : world.options) {
    options.add_options()(option.name, po::value<std::string>(), option.help);
  }
}

std::filesystem::path files_of(const SuiteEntry& world, const OptionsGiven& values) {
  for (const SuiteOption& option : world.options) {
    if (option.key == nullptr && values.contains(option.name)) return values[option.name].as<std::string>();
  }
  return {};
}

std::shared_ptr<const Suite> make_suite(const SuiteEntry& world, const OptionsGiven& values) {
  Settings settings;
  for (const SuiteOption& option : world.options) {
    if (option.key == nullptr || !values.contains(option.name)) continue;
    settings.insert(parse_override(cat(option.key, '=', values[option.name].as<std::string>())));
  }
  SettingsReader reader(settings);
  return world.make(reader, files_of(world, values));
}

std::shared_ptr<const Suite> usual_suite(const SuiteEntry& world) {
  return make_suite(world, {});
}

std::string describe_sets(const Suite& suite) {
  std::string text;
  for (const TaskSet& set : suite.task_sets()) text += set.name + ", ";
  return text + "or names separated by commas";
}

std::string identity_of(const Suite& suite, const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);  // of an expert, none
  const std::string policy{std::istreambuf_iterator<char>(in), {}};
  return cat("scenes ", suite.digest(), "\npolicy ", Hash().add(policy).hex());
}

}  // namespace fleet::simulation
