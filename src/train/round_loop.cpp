#include "train/round_loop.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/error.hpp"
#include "train/cell_run.hpp"

namespace fleet {

int FleetOptions::drawn(int with_data) const {
  const auto wanted = participants > 0 ? participants : std::lround(participation * with_data);
  return static_cast<int>(std::clamp<std::int64_t>(wanted, 1, with_data));
}

CellResult run_cell(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
                    const std::function<void(const RoundRecord&)>& emit, const Checkpointing& checkpointing,
                    std::span<RoundObserver* const> observers, const TrainingWatch& watch) {
  std::optional<CellRun> run;
  run.emplace(options, regime, merger, workload, comm, checkpointing, observers, watch);
  for (const RoundRecord& round : run->resume()) emit(round);
  Checkpointing alone = checkpointing;
  try {
    run->take_training();
  } catch (const Error& error) {
    if (comm.is_root()) checkpointing.training->warn(error.what());
    alone.training = nullptr;
    run.emplace(options, regime, merger, workload, comm, alone, observers, watch);
  }
  while (!run->is_done()) {
    try {
      emit(run->finish_round());
    } catch (const Interrupted&) {
      run->save();
      throw;
    } catch (const Error& error) {
      throw Error(cat("round ", run->round(), ": ", error.what()));
    }
    if (run->save_is_due()) run->save();
  }
  return run->take_result();
}

}  // namespace fleet
