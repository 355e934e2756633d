// In place of all of the world of tools where fleet is built without what it needs, which FLEET_MISSING names.
#include <array>

#include "base/error.hpp"
#include "tools/commands.hpp"
#include "tools/suite.hpp"
#include "tools/world.hpp"

namespace fleet {
namespace {

[[noreturn]] void complain() {
  throw ConfigError(cat("the world of tools was not built: fleet was configured without ", FLEET_MISSING,
                        ". `make deps` installs what it needs and fetches MuJoCo. Then configure again."));
}

}  // namespace

std::span<const Command> tools_commands() {
  static const std::array kCommands = {Command{.name = "tools",
                                               .summary = "not built: needs " FLEET_MISSING,
                                               .usage = "...",
                                               .operand = {.name = "COMMAND", .many = true, .optional = true},
                                               .run = [](const Call& /*call*/) -> int { complain(); }}};
  return kCommands;
}

WorldEntry tools_world() {
  const auto make = []() -> std::unique_ptr<World> { complain(); };
  return {.name = "tools", .summary = "not built: needs " FLEET_MISSING, .make = make, .commands = tools_commands};
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
