#include "sweep/queue.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/error.hpp"

namespace fleet {
namespace {

// Counters; from kFirstMark on there is one per place in the queue: the number of the group, from 1, that the cell has
// failed in and that another may try it again, less kTaken when one does, else 0.
constexpr std::size_t kHandedOut = 0;
constexpr std::size_t kSettled = 1;
constexpr std::size_t kFailed = 2;
constexpr std::size_t kFirstMark = 3;

constexpr std::int64_t kTaken = std::int64_t{1} << 40U;

constexpr std::chrono::milliseconds kPatience{20};

}  // namespace

CellQueue::CellQueue(const std::filesystem::path& file, std::vector<std::size_t> cells, int group, int groups,
                     bool retry_failed)
    : cells_(std::move(cells)), group_(group), retries_(retry_failed && groups > 1), counters_(file) {}

std::optional<CellQueue::Task> CellQueue::take(const std::function<bool()>& stop) const {
  const auto place = static_cast<std::size_t>(counters_.add(kHandedOut, 1));
  if (place < cells_.size()) return Task{.cell = cells_[place]};
  while (retries_) {
    if (const std::optional<Task> failed = take_failed()) return failed;
    if (counters_.read(kSettled) == static_cast<std::int64_t>(cells_.size())) break;
    if (stop()) throw Interrupted();
    std::this_thread::sleep_for(kPatience);
  }
  return std::nullopt;
}

std::optional<CellQueue::Task> CellQueue::take_failed() const {
  if (counters_.read(kFailed) == 0) return std::nullopt;
  for (std::size_t place = 0; place < cells_.size(); ++place) {
    const std::int64_t failed_in = counters_.read(kFirstMark + place);
    if (failed_in <= 0 || failed_in == group_ + 1) continue;
    if (counters_.add(kFirstMark + place, -kTaken) <= 0) {  // another group has been faster
      counters_.add(kFirstMark + place, kTaken);
      continue;
    }
    counters_.add(kFailed, -1);
    return Task{.cell = cells_[place], .second_attempt = true};
  }
  return std::nullopt;
}

int CellQueue::settled() const {
  return static_cast<int>(counters_.read(kSettled));
}

bool CellQueue::finish(const Task& task, bool failed) const {
  const bool again = failed && retries_ && !task.second_attempt;
  if (again) {
    const auto place = static_cast<std::size_t>(std::find(cells_.begin(), cells_.end(), task.cell) - cells_.begin());
    counters_.add(kFirstMark + place, group_ + 1);
    counters_.add(kFailed, 1);
  } else {
    counters_.add(kSettled, 1);
  }
  return again;
}

}  // namespace fleet
