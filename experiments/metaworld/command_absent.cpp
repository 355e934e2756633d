// In place of command.cpp where fleet is built without MuJoCo.
#include "base/error.hpp"
#include "metaworld/command.hpp"

namespace fleet {

int metaworld_command(const Arguments& /*arguments*/) {
  throw ConfigError(
      "fleet was built without MuJoCo, which Meta-World needs. Run `make build`, which fetches it, or set MUJOCO_ROOT "
      "to "
      "MuJoCo 3.3.0 (a release archive, unpacked) and configure again.");
}

std::string metaworld_summary() {
  return "not built: needs MuJoCo 3.3 (scripts/fetch-mujoco.sh or MUJOCO_ROOT)";
}

}  // namespace fleet
