#include "slurm.hpp"

#include <fstream>
#include <iostream>
#include <iterator>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "command_line.hpp"
#include "io/atomic_file.hpp"
#include "io/replaceable.hpp"
#include "sweep/progress.hpp"

namespace fleet {
namespace {

/// Where env.sh is: beside the installed program, or in the tree it was built from.
std::string environment_file() {
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe");
  const std::filesystem::path installed = program.parent_path().parent_path() / "share/fleet/slurm/env.sh";
  return std::filesystem::exists(installed) ? installed.string() : std::string(FLEET_SOURCE_DIR "/slurm/env.sh");
}

/// Of the line of a script that tells what the others were when it was written.
constexpr std::string_view kSeal = "# Written by fleet slurm; never written over once it is changed: ";

/// With its seal behind the first line, which names the shell.
std::string sealed(const std::string& script) {
  const std::size_t first = script.find('\n') + 1;
  return cat(script.substr(0, first), kSeal, Hash().add(script).hex(), '\n', script.substr(first));
}

/// Whether a script is as it was written.
bool is_own_script(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const std::size_t begin = text.find('\n') + 1;
  if (text.compare(begin, kSeal.size(), kSeal) != 0) return false;
  const std::size_t end = text.find('\n', begin);
  return end != std::string::npos && sealed(text.substr(0, begin) + text.substr(end + 1)) == text;
}

}  // namespace

void write_job_script(const Sweep& sweep, const Cluster& cluster, const std::string& arguments,
                      const std::filesystem::path& file) {
  const Proposal proposal = propose(sweep, SweepDirectory(sweep.run.output), cluster);
  if (proposal.cells == 0) {
    std::cout << "every cell is done: there is nothing to submit\n";
    return;
  }
  require_replaceable(file, {"job script", is_own_script});
  write_file_atomically(file, sealed(job_script(sweep, proposal, arguments, shell_quoted(environment_file()))));
  std::cout << proposal.cells << " cells to run: " << proposal.tasks << " tasks on " << proposal.nodes << " nodes, "
            << proposal.groups << " cells at a time, " << proposal.memory_per_task_mib << " MiB a task, "
            << duration_text(3600.0 * proposal.hours) << " with a margin of a half\n"
            << "written: " << file.string() << "; submit it with: sbatch " << shell_quoted(file.string()) << '\n';
}

}  // namespace fleet
