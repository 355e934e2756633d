#include "simulation/command_options.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "command/option.hpp"
#include "io/toml.hpp"

namespace fleet::simulation {

namespace po = boost::program_options;

namespace {

/// What stands for a setting on the command line: "--points".
std::string option_of(const SuiteEntry& world, const std::string& key) {
  const auto option = std::ranges::find_if(
      world.options, [&](const SuiteOption& each) { return each.key != nullptr && each.key == key; });
  return cat("--", option->name);
}

}  // namespace

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
    auto [key, setting] = parse_override(cat(option.key, '=', values[option.name].as<std::string>()));
    setting.source = {cat("--", option.name)};
    settings.emplace(std::move(key), std::move(setting));
  }
  SettingsReader reader(settings);
  std::shared_ptr<const Suite> suite = world.make(reader, files_of(world, values));
  for (const auto& [key, why] : reader.ruled_out()) {
    if (settings.contains(key)) throw ConfigError(cat(option_of(world, key), ": ", why));
  }
  return suite;
}

std::shared_ptr<const Suite> usual_suite(const SuiteEntry& world) {
  return make_suite(world, {});
}

void add_seed_option(OptionTexts& options) {
  constexpr double kLargestGoalSeed = 0xffffffff;  // as Meta-World's generator takes them
  options.add_options()("seed", long_integer(between(0, kLargestGoalSeed), 42), "of what varies in the episodes");
}

std::uint32_t seed_of(const OptionsGiven& values) {
  return static_cast<std::uint32_t>(values["seed"].as<std::int64_t>());
}

void add_view_options(OptionTexts& options) {
  add_seed_option(options);
  options.add_options()("episode", integer(between(1, 1e6), 1), "which of them, from 1 on");
}

EpisodeSpec episode_to_view(const Suite& suite, const OptionsGiven& values) {
  const auto name = values["TASK"].as<std::string>();
  const std::vector<int> tasks = suite.find_tasks(name);
  if (tasks.size() != 1) throw ConfigError(cat(name, ": expected one task, these are ", tasks.size()));
  return {.task = tasks.front(),
          .variation = random_variations(suite, tasks.front(), seed_of(values), values["episode"].as<int>()).back()};
}

std::vector<Variation> random_variations(const Suite& suite, int task, std::uint32_t seed, int count) {
  RandomStream stream(seed, Purpose::kRollout, static_cast<std::uint64_t>(task));
  std::vector<Variation> variations;
  for (int i = 0; i < count; ++i) variations.push_back(suite.draw(task, stream));
  return variations;
}

std::string describe_sets(const Suite& suite) {
  std::string text;
  for (const TaskSet& set : suite.task_sets()) text += set.name + ", ";
  return text + "or names separated by commas";
}

std::string identity_of(const Suite& suite, const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);  // of an expert, none
  const std::string policy{std::istreambuf_iterator<char>(in), {}};
  return cat("scenes ", suite.digest(), "\nsimulator ", suite.engine(), "\npolicy ", Hash().add(policy).hex());
}

}  // namespace fleet::simulation
