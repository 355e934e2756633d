// `fleet init WORKLOAD`: a configuration to begin with, in which every key says what it means.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <sstream>

#include "base/error.hpp"
#include "command/commands.hpp"
#include "command/option.hpp"
#include "io/atomic_file.hpp"
#include "sweep/key_survey.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

constexpr std::string_view kGrid = "sweep.grid";

/// What a key means in a world, and what may be written for it if that is one of a few.
std::string comment_on(std::span<const SurveyedKey> keys, const std::string& key, std::string_view world) {
  const auto found = std::ranges::find(keys, key, &SurveyedKey::key);
  require(found != keys.end(), "the start of ", world, " sets ", key, ", which nothing reads");
  const KeyUse* use = &found->uses.front();
  for (const KeyUse& other : found->uses) {
    if (std::ranges::find(other.worlds, world) != other.worlds.end()) {
      use = &other;
      break;
    }
  }
  std::vector<std::string> choices;
  for (const std::string& choice : use->note.choices) choices.push_back(Value(choice).to_string());
  return cat("# ", use->note.about, choices.empty() ? "" : cat(" One of ", alternatives(choices), '.'), '\n');
}

/// The start of a world with a comment above each key.
std::string commented(const WorldEntry& world, std::span<const SurveyedKey> keys) {
  std::ostringstream out;
  std::istringstream lines{std::string(world.start)};
  std::string section;
  for (std::string line; std::getline(lines, line); out << line << '\n') {
    if (line.starts_with('[')) section = line.substr(1, line.find(']') - 1);
    const std::size_t equals = line.find(" = ");
    if (line.empty() || line.front() == '#' || line.front() == '[' || equals == std::string::npos) continue;
    const std::string key = line.substr(0, equals);
    out << comment_on(keys, section.empty() || section == kGrid ? key : cat(section, '.', key), world.name);
  }
  return out.str();
}

const WorldEntry& find_world(std::span<const WorldEntry> worlds, const std::string& name) {
  std::vector<std::string> names;
  for (const WorldEntry& world : worlds) {
    if (world.name == name) return world;
    names.emplace_back(world.name);
  }
  const std::optional<std::string> meant = nearest(name, names);
  throw ConfigError(cat("there is no workload ", name, "; ",
                        meant ? cat("did you mean ", *meant, "?") : cat("expected ", alternatives(names))));
}

po::options_description options() {
  po::options_description options("Options");
  options.add_options()("output,o", po::value<std::string>(), "file to write; WORKLOAD.toml by default");
  return options;
}

std::vector<std::string> world_names(std::span<const WorldEntry> worlds) {
  std::vector<std::string> names;
  for (const WorldEntry& world : worlds) names.emplace_back(world.name);
  return names;
}

int write_start(const Call& call) {
  const WorldEntry& world = find_world(call.worlds, call.get("WORKLOAD"));
  if (world.start.empty()) throw ConfigError(cat(world.name, ": ", world.summary));
  const std::filesystem::path file = call.has("output") ? call.get("output") : cat(world.name, ".toml");
  if (std::filesystem::exists(std::filesystem::symlink_status(file))) {
    throw ConfigError(cat(file.string(), " is there already; choose another name with -o"));
  }
  const std::string name = shell_quoted(file.string());
  write_file_atomically(
      file,
      cat("# ", world.summary, ".\n#\n#   fleet plan ", name,
          "              says what this sweep would run, and what is wrong with it\n", "#   mpirun -n 5 fleet run ",
          name, "  runs it\n", "#   fleet keys                says what else can be set\n\n",
          "# What is learned, and from which data.\nworkload = ", Value(std::string(world.name)).to_string(), "\n\n",
          commented(world, survey_keys(call.worlds))));
  std::cout << "written: " << file.string() << "; next: fleet plan " << name << '\n';
  return 0;
}

}  // namespace

Command command::init() {
  return {.name = "init",
          .summary = "write a configuration to begin with: fleet init mnist",
          .usage = "WORKLOAD [-o FILE]",
          .operand = {.name = "WORKLOAD", .choices = world_names},
          .options = options,
          .run = write_start};
}

}  // namespace fleet
