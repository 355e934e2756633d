// The cells of a run that are still to be run: groups of ranks take the next one as they become free.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "comm/shared_counters.hpp"

namespace fleet {

class CellQueue {
 public:
  struct Task {
    std::size_t cell = 0;
    bool second_attempt = false;
  };

  /// Hands out `cells` in their order, which is the same on every rank. `retry_failed`: a cell that fails is tried once
  /// more, on another group where there is one, in case it was the machine that failed. Collective over `run`.
  CellQueue(const Comm& run, std::vector<std::size_t> cells, int groups, bool retry_failed);

  /// The next cell for `group`; none when there will be no more. Called by one rank of the group, which is Interrupted
  /// where it waits for a cell that may yet fail elsewhere when `stop` says so.
  [[nodiscard]] std::optional<Task> take(int group, const std::function<bool()>& stop) const;
  /// The task is over. A cell that failed may be handed out once more: true, then.
  bool finish(int group, const Task& task, bool failed) const;

 private:
  [[nodiscard]] std::optional<Task> take_failed(int group) const;

  std::vector<std::size_t> cells_;
  bool retries_;
  SharedCounters counters_;
};

}  // namespace fleet
