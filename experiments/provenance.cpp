#include "provenance.hpp"

#include "base/process.hpp"
#include "io/hdf5.hpp"
#include "torch/runtime.hpp"
#include "version.hpp"

namespace fleet {

Provenance provenance_of(const std::string& command, const Arguments& arguments, const Comm& world) {
  std::string line = "fleet " + command;
  for (const std::string& argument : arguments) line += " " + shell_quoted(argument);
  std::string hosts;
  std::string last;
  for (const std::string& name : world.all_gather(host_name())) {
    if (name != last) hosts += (hosts.empty() ? "" : " ") + name;
    last = name;
  }
  return {{"fleet_version", kVersion},
          {"git_revision", kGitRevision},
          {"mpi", mpi_version()},
          {"libtorch", torch_version()},
          {"hdf5", hdf5_version()},
          {"blas", blas_version()},
          {"device", "cpu"},
          {"command_line", line},
          {"hosts", hosts}};
}

}  // namespace fleet
