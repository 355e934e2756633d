// In place of all of Meta-World where fleet is built without what it needs, which FLEET_MISSING names.
#include "simulation/absent.hpp"
#include "metaworld/command.hpp"
#include "metaworld/suite.hpp"
#include "metaworld/world.hpp"

namespace fleet {
namespace {

constexpr simulation::AbsentWorld kAbsent{
    .name = "metaworld", .title = "Meta-World", .summary = "not built: needs " FLEET_MISSING, .missing = FLEET_MISSING};
using Absent = simulation::Absent<kAbsent>;

}  // namespace

std::span<const Command> metaworld_commands() {
  return Absent::commands();
}

WorldEntry metaworld_world() {
  return Absent::entry();
}

const simulation::SuiteEntry& metaworld::suite_entry() {
  return Absent::suite();
}

}  // namespace fleet
