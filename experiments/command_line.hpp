// What the commands of `fleet` share: their options, MPI around those that compute, and what results say of the
// program.
#pragma once

#include <boost/program_options.hpp>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "comm/comm.hpp"
#include "io/results.hpp"

namespace fleet {

using Arguments = std::vector<std::string>;

inline constexpr int kExitFailed = 1;
inline constexpr int kExitMisused = 2;
inline constexpr int kExitInterrupted = 75;  // EX_TEMPFAIL

/// Options of a command with `count` (-1: any number of) positional arguments called `positional`, at least one; prints
/// its help and returns nothing when asked to. ConfigError, with the usage, for what is not understood.
[[nodiscard]] std::optional<boost::program_options::variables_map> parse(
    const Arguments& arguments, boost::program_options::options_description options, const char* positional,
    const std::string& usage, int count = 1);

/// Runs a command on all ranks, with SIGINT, SIGTERM and SIGUSR1 at any of them as stop requests to all; its errors,
/// agreed by all ranks or not, become exit codes. On ranks other than the root standard output is silent.
int with_mpi(const std::function<int(const Comm& world)>& command);

/// Versions, the command line and, from all ranks, the hosts. Collective.
[[nodiscard]] Provenance provenance_of(const std::string& command, const Arguments& arguments, const Comm& world);

}  // namespace fleet
