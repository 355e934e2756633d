#include "simulation/engine.hpp"

#include "base/error.hpp"

namespace fleet::simulation {

void install_engine_hooks() {
  mju_user_error = [](const char* message) { throw Error(cat("MuJoCo: ", message)); };
  mju_user_warning = [](const char*) {};
}

std::string engine_version() {
  return cat("MuJoCo ", mj_versionString());
}

bool has_diverged(const mjData& data) {
  return data.warning[mjWARN_BADQPOS].number > 0 || data.warning[mjWARN_BADQVEL].number > 0 ||
         data.warning[mjWARN_BADQACC].number > 0 || data.warning[mjWARN_BADCTRL].number > 0;
}

}  // namespace fleet::simulation
