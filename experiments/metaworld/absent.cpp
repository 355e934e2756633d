// In place of all of Meta-World where fleet is built without what it needs, which FLEET_MISSING names.
#include <array>

#include "base/error.hpp"
#include "metaworld/command.hpp"
#include "metaworld/suite.hpp"
#include "metaworld/world.hpp"

namespace fleet {
namespace {

[[noreturn]] void complain() {
  throw ConfigError(cat("Meta-World was not built: fleet was configured without ", FLEET_MISSING,
                        ". `make deps` installs what it needs and fetches MuJoCo; MUJOCO_ROOT names a MuJoCo 3.3.0 of "
                        "your own (a release archive, unpacked). Then configure again."));
}

}  // namespace

std::span<const Command> metaworld_commands() {
  static const std::array kCommands = {Command{.name = "metaworld",
                                               .summary = "not built: needs " FLEET_MISSING,
                                               .usage = "...",
                                               .operand = {.name = "COMMAND", .many = true, .optional = true},
                                               .run = [](const Call& /*call*/) -> int { complain(); }}};
  return kCommands;
}

WorldEntry metaworld_world() {
  const auto make = []() -> std::unique_ptr<World> { complain(); };
  return {
      .name = "metaworld", .summary = "not built: needs " FLEET_MISSING, .make = make, .commands = metaworld_commands};
}

const simulation::SuiteEntry& metaworld::suite_entry() {
  static const simulation::SuiteEntry kEntry{
      .name = "metaworld",
      .options = {},
      .make = [](SettingsReader&, const std::filesystem::path&) -> std::shared_ptr<const simulation::Suite> {
        complain();
      }};
  return kEntry;
}

}  // namespace fleet
