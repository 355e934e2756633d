// The cells of a run that are still to be run: groups of ranks take the next one as they become free.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "io/shared_counters.hpp"

namespace fleet {

class CellQueue {
 public:
  struct Task {
    std::size_t cell = 0;
    bool second_attempt = false;
  };

  /// One for each group; those with the same `file`, a new one for every run, hand out `cells` together in their order.
  /// `retry_failed`: a cell that fails is tried once more, on another group where there is one, in case it was the
  /// machine that failed. Error if the file cannot be used.
  CellQueue(const std::filesystem::path& file, std::vector<std::size_t> cells, int group, int groups,
            bool retry_failed);

  /// The next cell for this group; none when there will be no more. Throws Interrupted where it waits for a cell that
  /// may yet fail elsewhere when `stop` says so.
  [[nodiscard]] std::optional<Task> take(const std::function<bool()>& stop) const;
  /// Cells that no group will take any more.
  [[nodiscard]] int settled() const;
  /// The task is over. A cell that failed may be handed out once more: true, then.
  bool finish(const Task& task, bool failed) const;

 private:
  [[nodiscard]] std::optional<Task> take_failed() const;

  std::vector<std::size_t> cells_;
  int group_;
  bool retries_;
  SharedCounters counters_;
};

}  // namespace fleet
