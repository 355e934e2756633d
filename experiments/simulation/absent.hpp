// What stands in a world's place where fleet is built without what it needs: it says so.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "command/command.hpp"
#include "simulation/suite.hpp"
#include "sweep/world.hpp"

namespace fleet::simulation {

struct AbsentWorld {
  std::string_view name;     ///< of the workload and of its commands
  std::string_view title;    ///< as texts call it
  const char* summary = "";  ///< "not built: needs ..."
  std::string_view missing;
};

/// `world` is an AbsentWorld.
template <const AbsentWorld& world>
struct Absent {
  [[noreturn]] static void complain() {
    throw ConfigError(cat(world.title, " was not built: fleet was configured without ", world.missing,
                          ". `make deps` installs what it needs and fetches MuJoCo; MUJOCO_ROOT names a MuJoCo 3.3.0 "
                          "of your own (a release archive, unpacked). Then configure again."));
  }
  static std::span<const Command> commands() {
    static const std::array kCommands = {Command{.name = world.name,
                                                 .summary = world.summary,
                                                 .usage = "...",
                                                 .operand = {.name = "COMMAND", .many = true, .optional = true},
                                                 .run = [](const Call& /*call*/) -> int { complain(); }}};
    return kCommands;
  }
  static WorldEntry entry() {
    return {.name = world.name,
            .summary = world.summary,
            .make = []() -> std::unique_ptr<World> { complain(); },
            .commands = commands};
  }
  static const SuiteEntry& suite() {
    static const SuiteEntry kEntry{
        .name = world.name,
        .options = {},
        .make = [](SettingsReader&, const std::filesystem::path&) -> std::shared_ptr<const Suite> { complain(); }};
    return kEntry;
  }
};

}  // namespace fleet::simulation
