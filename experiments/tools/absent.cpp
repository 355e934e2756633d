// In place of all of the world of tools where fleet is built without what it needs, which FLEET_MISSING names.
#include "simulation/absent.hpp"
#include "tools/commands.hpp"
#include "tools/suite.hpp"
#include "tools/world.hpp"

namespace fleet {
namespace {

constexpr simulation::AbsentWorld kAbsent{.name = "tools",
                                          .title = "the world of tools",
                                          .summary = "not built: needs " FLEET_MISSING,
                                          .missing = FLEET_MISSING};
using Absent = simulation::Absent<kAbsent>;

}  // namespace

std::span<const Command> tools_commands() {
  return Absent::commands();
}

WorldEntry tools_world() {
  return Absent::entry();
}

const simulation::SuiteEntry& tools::suite_entry() {
  return Absent::suite();
}

}  // namespace fleet
