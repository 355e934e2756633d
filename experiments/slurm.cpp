#include "slurm.hpp"

#include <iostream>

#include "base/error.hpp"
#include "io/atomic_file.hpp"
#include "sweep/progress.hpp"

namespace fleet {
namespace {

/// Where env.sh is: beside the installed program, or in the tree it was built from.
std::string environment_file() {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe");
  const std::filesystem::path installed = program.parent_path().parent_path() / "share/fleet/slurm/env.sh";
  return std::filesystem::exists(installed) ? installed.string() : std::string(FLEET_SOURCE_DIR "/slurm/env.sh");
}

}  // namespace

void write_job_script(const Sweep& sweep, const Cluster& cluster, const std::string& arguments,
                      const std::filesystem::path& file) {
  const Proposal proposal = propose(sweep, SweepDirectory(sweep.run.output), cluster);
  if (proposal.cells == 0) {
    std::cout << "every cell is done: there is nothing to submit\n";
    return;
  }
  write_file_atomically(file, job_script(sweep, proposal, arguments, environment_file()));
  std::cout << proposal.cells << " cells to run: " << proposal.tasks << " tasks on " << proposal.nodes << " nodes, "
            << proposal.groups << " cells at a time, " << proposal.memory_per_task_mib << " MiB a task, "
            << duration_text(3600.0 * proposal.hours) << " with a margin of a half\n"
            << "written: " << file.string() << "; submit it with: sbatch " << file.string() << '\n';
}

}  // namespace fleet
