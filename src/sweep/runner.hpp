// Runs the cells of a sweep on groups of ranks.
#pragma once

#include <string>
#include <vector>

#include "comm/comm.hpp"
#include "io/results.hpp"
#include "sweep/cell.hpp"
#include "sweep/directory.hpp"

namespace fleet {

/// How ranks are grouped: consecutive ranks, sizes differing by at most one.
struct Groups {
  int ranks = 1;
  int count = 1;
  [[nodiscard]] int of_rank(int rank) const;
  [[nodiscard]] int size(int group) const;
};
/// Ranks that a cell is given where there are enough: one per robot of the largest fleet, or `run.ranks_per_cell`.
[[nodiscard]] int ranks_per_cell(const Sweep& sweep);
/// As many groups as ranks allow when every group has ranks_per_cell(); no more than there are cells.
[[nodiscard]] Groups make_groups(const Sweep& sweep, int ranks, std::size_t cells);

struct RunRequest {
  enum class Rerun { kNone, kFailed, kAll };
  Rerun rerun = Rerun::kNone;
  bool accept_changes = false;
  bool into_existing = false;  ///< the sweep's directory may hold files of others
  bool collect = false;        ///< the caller will join the cells: what must not be replaced stops the run
  int shard = 0;               ///< this job takes the cells whose index is `shard` modulo `shards`
  int shards = 1;
  Provenance provenance;  ///< of the program and the command line
};

/// Runs what is not done yet: groups take cells as they become free, costliest first. Collective; the summary is the
/// same on every rank. Throws Interrupted when asked to stop.
RunSummary run_sweep(const Sweep& sweep, Worlds& worlds, const RunRequest& request, const Comm& run);

}  // namespace fleet
