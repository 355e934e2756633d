#include "command/provenance.hpp"

#include <algorithm>

#include "base/process.hpp"
#include "io/hdf5.hpp"
#include "torch/runtime.hpp"
#include "version.hpp"

namespace fleet {
namespace {

/// What ranks say, each thing once, in the order of ranks.
std::string said_by_all(const std::string& mine, const std::string& separator, const Comm& world) {
  std::vector<std::string> things;
  for (const std::string& thing : world.all_gather(mine)) {
    if (std::find(things.begin(), things.end(), thing) == things.end()) things.push_back(thing);
  }
  std::string text;
  for (const std::string& thing : things) text += (text.empty() ? "" : separator) + thing;
  return text;
}

}  // namespace

Provenance provenance_of(const std::string& command, const Arguments& arguments, const Comm& world) {
  std::string line = "fleet " + command;
  for (const std::string& argument : arguments) line += " " + shell_quoted(argument);
  return {{"fleet_version", kVersion},
          {"git_revision", kGitRevision},
          {"mpi", mpi_version()},
          {"libtorch", torch_version()},
          {"hdf5", hdf5_version()},
          {"blas", said_by_all(blas_version(), ", ", world)},
          {"device", "cpu"},
          {"command_line", line},
          {"hosts", said_by_all(host_name(), " ", world)}};
}

}  // namespace fleet
