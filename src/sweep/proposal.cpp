#include "sweep/proposal.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <queue>
#include <vector>

#include "base/error.hpp"
#include "sweep/runner.hpp"

namespace fleet {
namespace {

constexpr double kMargin = 1.5;  // for what a measured cell does not tell: slower nodes, start, last cells
constexpr double kMemoryMargin = 1.25;
constexpr double kLeastMinutes = 10.0;

/// Seconds until `groups` groups of `ranks` have run the cells, each taking the costliest that is left.
double seconds_to_finish(const std::vector<double>& rank_seconds, int groups, int ranks) {
  std::priority_queue<double, std::vector<double>, std::greater<>> free_at;
  for (int group = 0; group < groups; ++group) free_at.push(0.0);
  double last = 0.0;
  for (const double work : rank_seconds) {
    const double end = free_at.top() + work / ranks;
    free_at.pop();
    free_at.push(end);
    last = std::max(last, end);
  }
  return last;
}

std::string clock_text(double hours) {
  const auto minutes = static_cast<long>(std::ceil(std::max(hours * 60.0, kLeastMinutes)));
  char text[32];
  std::snprintf(text, sizeof text, "%ld:%02ld:00", minutes / 60, minutes % 60);
  return text;
}

}  // namespace

Proposal propose(const Sweep& sweep, const SweepDirectory& directory, const Cluster& cluster) {
  const CellStates states = directory.states();
  const CostModel costs(sweep, directory, states);
  require(costs.measured() > 0, "no cell of ", directory.path().string(),
          " is finished yet, so nothing is known of time and memory: run one first, say `fleet run CONFIG --shard 0/",
          sweep.cells.size(), "`");
  Proposal proposal;
  std::vector<double> left;
  for (const Cell& cell : sweep.cells) {
    const CellState state = state_in(states, cell.id);
    if (state == CellState::kFailed) ++proposal.failed;
    if (state != CellState::kDone && state != CellState::kFailed) left.push_back(costs.rank_seconds(cell));
  }
  std::sort(left.begin(), left.end(), std::greater<>());

  proposal.cells = static_cast<int>(left.size());
  for (const double seconds : left) proposal.rank_hours += seconds / 3600.0;
  const int ranks = ranks_per_cell(sweep);
  const int most = std::max(1, proposal.cells);
  while (proposal.groups < most && kMargin * seconds_to_finish(left, proposal.groups, ranks) > 3600.0 * cluster.hours) {
    proposal.groups = std::min(most, proposal.groups + std::max(1, proposal.groups / 8));
  }
  proposal.tasks = proposal.groups * ranks;
  proposal.hours = kMargin * seconds_to_finish(left, proposal.groups, ranks) / 3600.0;
  proposal.memory_per_task_mib = static_cast<int>(std::ceil(kMemoryMargin * costs.peak_memory_mib() / 64.0)) * 64;
  const int by_cores = cluster.cores_per_node / sweep.run.threads;
  require(by_cores >= 1, "a rank of this sweep takes ", sweep.run.threads, " cores (run.threads), a node has ",
          cluster.cores_per_node);
  const double by_memory = std::floor(cluster.memory_per_node_gib * 1024.0 / proposal.memory_per_task_mib);
  require(by_memory >= 1.0, "a rank of this sweep needs ", proposal.memory_per_task_mib, " MiB, more than a node has");
  proposal.nodes = static_cast<int>(std::ceil(proposal.tasks / std::min<double>(by_cores, by_memory)));
  return proposal;
}

std::string job_script(const Sweep& sweep, const Proposal& proposal, const std::string& arguments,
                       const std::string& environment) {
  return cat("#!/usr/bin/env bash\n# ", proposal.cells, " cells, ", proposal.groups, " at a time: about ",
             std::round(proposal.rank_hours * 10.0) / 10.0, " rank hours of work.\n#SBATCH --job-name=", sweep.name,
             "\n#SBATCH --nodes=", proposal.nodes, "\n#SBATCH --ntasks=", proposal.tasks,
             sweep.asks_for_gpus() ? "\n#SBATCH --gpus-per-node=1" : "",
             "\n#SBATCH --cpus-per-task=", sweep.run.threads,
             "\n#SBATCH --mem-per-cpu=", (proposal.memory_per_task_mib + sweep.run.threads - 1) / sweep.run.threads,
             "M\n#SBATCH --time=", clock_text(proposal.hours), "\n#SBATCH --output=", sweep.name,
             "-%j.log\n#SBATCH --signal=B:USR1@120\n#SBATCH --requeue\n#SBATCH --open-mode=append\n\n. ", environment,
             "\nfleet_run ", arguments, '\n');
}

}  // namespace fleet
