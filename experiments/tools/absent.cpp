// In place of all of the world of tools where fleet is built without what it needs, which FLEET_MISSING names.
#include <array>

#include "base/error.hpp"
#include "command/command.hpp"
#include "tools/suite.hpp"
#include "tools/world.hpp"

namespace fleet {
namespace {

[[noreturn]] void complain() {
  throw ConfigError("the world of tools was not built: fleet was configured without " FLEET_MISSING
                    ". `make deps` installs what it needs and fetches MuJoCo. Then configure again.");
}

std::span<const Command> commands() {
  static constexpr std::array kCommands = {
      Command{"tools", "not built: needs " FLEET_MISSING,
              [](const Arguments& /*arguments*/, std::span<const WorldEntry> /*worlds*/) -> int { complain(); }},
  };
  return kCommands;
}

}  // namespace

WorldEntry tools_world() {
  const auto make = []() -> std::unique_ptr<World> { complain(); };
  return {.name = "tools", .summary = "not built: needs " FLEET_MISSING, .make = make, .commands = commands};
}

const simulation::SuiteEntry& tools::suite_entry() {
  static const simulation::SuiteEntry kEntry{
      .name = "tools",
      .options = {},
      .make = [](SettingsReader&, const std::filesystem::path&) -> std::shared_ptr<const simulation::Suite> {
        complain();
      }};
  return kEntry;
}

}  // namespace fleet
