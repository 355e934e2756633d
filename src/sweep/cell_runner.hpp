// Runs one cell on a group of ranks and leaves its file.
#pragma once

#include "io/results.hpp"
#include "sweep/cell.hpp"
#include "sweep/directory.hpp"
#include "sweep/progress.hpp"

namespace fleet {

class CellRunner {
 public:
  /// Everything outlives the object. `progress`: of the rank that reports, else nullptr; to it the cell's training is
  /// `training`.
  CellRunner(const Sweep& sweep, const Cell& cell, const SweepDirectory& directory, const Comm& group,
             const Provenance& provenance, Progress* progress, double training)
      : sweep_(sweep),
        cell_(cell),
        directory_(directory),
        group_(group),
        provenance_(provenance),
        progress_(progress),
        training_(training) {}

  /// Goes on from a checkpoint if there is one. The reason for which the cell failed; empty when it is done.
  /// Collective; throws Interrupted when asked to stop, with a checkpoint on disk.
  std::string run(World& world);
  /// Seconds of this rank that run() has trained robots for, outside of merges.
  [[nodiscard]] double trained_seconds() const { return trained_seconds_; }

 private:
  class RunningMarker;
  CellResult train(World& world, std::unique_ptr<Workload>& workload, CellRecord& record, const RunningMarker& marker,
                   const Checkpointing& checkpointing);
  [[nodiscard]] std::vector<std::unique_ptr<RoundObserver>> make_observers(Workload& workload, Regime regime) const;
  void keep_weights(const CellResult& result, const Workload& workload, CellRecord& record);
  void write(const CellRecord& record, const std::string& started) const;

  const Sweep& sweep_;
  const Cell& cell_;
  const SweepDirectory& directory_;
  const Comm& group_;
  const Provenance& provenance_;
  Progress* progress_;
  double training_;
  double trained_seconds_ = 0.0;
};

}  // namespace fleet
