// `fleet slurm CONFIG`: a job script for a sweep.
#pragma once

#include <filesystem>
#include <string>

#include "sweep/proposal.hpp"

namespace fleet {

/// Writes the script for `fleet run ARGUMENTS` to `file` and prints what it asks for. Error if nothing has been
/// measured.
void write_job_script(const Sweep& sweep, const Cluster& cluster, const std::string& arguments,
                      const std::filesystem::path& file);

}  // namespace fleet
