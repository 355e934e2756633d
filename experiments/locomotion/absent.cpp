// In place of all of locomotion where fleet is built without what it needs, which FLEET_MISSING names.
#include "simulation/absent.hpp"
#include "locomotion/suite.hpp"
#include "locomotion/world.hpp"

namespace fleet {
namespace {

constexpr simulation::AbsentWorld kAbsent{.name = "locomotion",
                                          .title = "the world of locomotion",
                                          .summary = "not built: needs " FLEET_MISSING,
                                          .missing = FLEET_MISSING};
constexpr simulation::AbsentWorld kAbsentOffline{.name = "locomotion-offline",
                                                 .title = "the world of locomotion",
                                                 .summary = "not built: needs " FLEET_MISSING,
                                                 .missing = FLEET_MISSING};
using Absent = simulation::Absent<kAbsent>;

}  // namespace

WorldEntry locomotion_world() {
  return Absent::entry();
}

WorldEntry locomotion_offline_world() {
  WorldEntry entry = simulation::Absent<kAbsentOffline>::entry();
  entry.commands = nullptr;
  return entry;
}

const simulation::SuiteEntry& locomotion::suite_entry() {
  return Absent::suite();
}

}  // namespace fleet
