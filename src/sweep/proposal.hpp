// What to ask a batch system for: nodes, tasks, time and memory for a sweep, from its plan and what finished cells
// took.
#pragma once

#include <string>

#include "sweep/cost.hpp"

namespace fleet {

struct Cluster {
  int cores_per_node = 32;
  double memory_per_node_gib = 128.0;
  double hours = 4.0;  ///< that the sweep may take
};

struct Proposal {
  int nodes = 1;
  int tasks = 1;
  int groups = 1;  ///< of ranks, each running one cell at a time
  double hours = 0.0;
  int memory_per_task_mib = 0;
  double rank_hours = 0.0;  ///< of all cells that are left
  int cells = 0;            ///< left
  int failed = 0;           ///< which `fleet run` leaves as they are
};

/// As few tasks as finish what is left of the sweep within the hours, or as many as can be of use. Error where nothing
/// has been measured, or a task does not fit on a node.
[[nodiscard]] Proposal propose(const Sweep& sweep, const SweepDirectory& directory, const Cluster& cluster);

/// A job script with the proposal's numbers that runs `arguments` (fleet run ARGUMENTS) by `environment`, the file
/// env.sh; both as a shell takes them, in quotes where they need some. The sweep's name is one (sweep_name.hpp), which
/// needs none.
[[nodiscard]] std::string job_script(const Sweep& sweep, const Proposal& proposal, const std::string& arguments,
                                     const std::string& environment);

}  // namespace fleet
