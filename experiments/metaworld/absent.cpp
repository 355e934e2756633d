// In place of all of Meta-World where fleet is built without MuJoCo.
#include "base/error.hpp"
#include "metaworld/command.hpp"
#include "metaworld/world.hpp"

namespace fleet {
namespace {

[[noreturn]] void complain() {
  throw ConfigError(
      "fleet was built without MuJoCo, which Meta-World needs. Run `make build`, which fetches it, or set MUJOCO_ROOT "
      "to MuJoCo 3.3.0 (a release archive, unpacked) and configure again.");
}

}  // namespace

int metaworld_command(const Arguments& /*arguments*/) {
  complain();
}

WorldEntry metaworld_world() {
  return {.name = "metaworld",
          .summary = "not built: needs MuJoCo 3.3 (scripts/fetch-mujoco.sh or MUJOCO_ROOT)",
          .make = []() -> std::unique_ptr<World> { complain(); }};
}

}  // namespace fleet
