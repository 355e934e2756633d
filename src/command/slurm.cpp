// `fleet slurm CONFIG`: a job script for a sweep.

#include <fstream>
#include <iostream>
#include <iterator>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "command/commands.hpp"
#include "command/option.hpp"
#include "command/sweep_arguments.hpp"
#include "io/atomic_file.hpp"
#include "io/replaceable.hpp"
#include "io/toml.hpp"
#include "sweep/progress.hpp"
#include "sweep/proposal.hpp"

namespace fleet {
namespace {

namespace po = boost::program_options;

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

/// Writes the script for `fleet run ARGUMENTS` to `file` and prints what it asks for. Error if nothing has been
/// measured.
void write_job_script(const Sweep& sweep, const Cluster& cluster, const std::string& arguments,
                      const std::filesystem::path& file) {
  const Proposal proposal = propose(sweep, SweepDirectory(sweep.run.output), cluster);
  if (proposal.failed > 0) {
    std::cout << proposal.failed << (proposal.failed == 1 ? " cell has" : " cells have")
              << " failed; `fleet run --rerun failed` tries again\n";
  }
  if (proposal.cells == 0) {
    std::cout << (proposal.failed > 0 ? "no other cell is left" : "every cell is done")
              << ": there is nothing to submit\n";
    return;
  }
  require_replaceable(file, {"job script", is_own_script});
  write_file_atomically(file, sealed(job_script(sweep, proposal, arguments, shell_quoted(environment_file()))));
  std::cout << proposal.cells << " cells to run: " << proposal.tasks << " tasks on " << proposal.nodes << " nodes, "
            << proposal.groups << " cells at a time, " << proposal.memory_per_task_mib << " MiB a task, "
            << duration_text(3600.0 * proposal.hours) << " with a margin of a half\n"
            << "written: " << file.string() << "; submit it with: sbatch " << shell_quoted(file.string()) << '\n';
}

po::options_description options() {
  const Cluster usual;
  po::options_description options = sweep_options();
  options.add_options()("hours", number(above(0), usual.hours), "that the sweep may take");
  options.add_options()("cores", integer(between(1, 1e6), usual.cores_per_node), "of a node");
  options.add_options()("memory", number(above(0), usual.memory_per_node_gib), "of a node, in GiB");
  options.add_options()("accept-changes", "let the job go on in a directory whose sweep had another configuration");
  options.add_options()("script", po::value<std::string>(), "file to write; NAME.sbatch by default");
  return options;
}

int write_script(const Call& call) {
  const Cluster cluster{.cores_per_node = call.get<int>("cores"),
                        .memory_per_node_gib = call.get<double>("memory"),
                        .hours = call.get<double>("hours")};
  Worlds made;
  const Sweep sweep = read_sweep(call.values, read_toml_text(config_of(call.values)), call.worlds, made);
  const std::string& config = call.get("CONFIG");
  std::string line =
      shell_quoted((config.starts_with('-') ? "./" : "") + config) + " --output=" + shell_quoted(sweep.run.output);
  if (call.has("set")) {
    for (const std::string& text : call.get<Arguments>("set")) line += " --set " + shell_quoted(text);
  }
  if (call.has("accept-changes")) {
    line += " --accept-changes";
  } else {
    SweepDirectory(sweep.run.output).require_unchanged(sweep);
  }
  write_job_script(sweep, cluster, line, call.has("script") ? call.get("script") : sweep.name + ".sbatch");
  return 0;
}

}  // namespace

Command command::slurm() {
  return {.name = "slurm",
          .summary = "write a Slurm job script for a sweep, by what its finished cells took",
          .usage = "CONFIG [options]",
          .operand = kConfig,
          .options = options,
          .run = write_script};
}

}  // namespace fleet
