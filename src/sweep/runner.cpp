#include "sweep/runner.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <numeric>

#include "base/error.hpp"
#include "base/process.hpp"
#include "base/stopwatch.hpp"
#include "comm/agreement.hpp"
#include "comm/placement.hpp"
#include "sweep/cell_runner.hpp"
#include "sweep/claims.hpp"
#include "sweep/common_training.hpp"
#include "sweep/cost.hpp"
#include "sweep/queue.hpp"

namespace fleet {
namespace {

/// The cells of this job that are still to be run: those that train before those that go on from there, and of each
/// first what would cost most with its training.
std::vector<std::size_t> cells_to_run(const Sweep& sweep, const SweepDirectory& directory, const RunRequest& request,
                                      RunSummary& summary) {
  const CellStates states = directory.states();
  std::vector<std::size_t> todo;
  for (std::size_t i = 0; i < sweep.cells.size(); ++i) {
    if (static_cast<int>(i % static_cast<std::size_t>(request.shards)) != request.shard) continue;
    const CellState state = state_in(states, sweep.cells[i].id);
    const bool again = request.rerun == RunRequest::Rerun::kAll ||
                       (request.rerun == RunRequest::Rerun::kFailed && state == CellState::kFailed);
    if (state == CellState::kDone && !again) {
      ++summary.done_before;
    } else if (state == CellState::kFailed && !again) {
      ++summary.failed_before;
    } else {
      todo.push_back(i);
    }
  }
  const CostModel costs(sweep, directory, states);
  std::vector<double> cost(sweep.cells.size(), 0.0);
  for (const std::size_t i : todo) cost[i] = costs.rank_seconds(sweep.cells[i]);
  std::stable_sort(todo.begin(), todo.end(), [&](std::size_t a, std::size_t b) { return cost[a] > cost[b]; });
  const std::vector<bool> first = trains(sweep, todo, directory);
  const std::vector<std::size_t> sorted = todo;
  auto next = todo.begin();
  for (const bool which : {true, false}) {
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (first[i] == which) *next++ = sorted[i];
    }
  }
  return todo;
}

/// Of every cell of the sweep: what there is to train, in arbitrary units.
std::vector<double> expected_trainings(const Sweep& sweep, const std::vector<std::size_t>& todo,
                                       const SweepDirectory& directory, int groups) {
  std::vector<double> trainings(sweep.cells.size(), 0.0);
  const std::vector<bool> first = trains(sweep, todo, directory, groups);
  for (std::size_t i = 0; i < todo.size(); ++i) {
    if (first[i]) trainings[todo[i]] = sweep.cells[todo[i]].cost();
  }
  return trainings;
}

/// The root decides what there is to do, and is present from now on; everybody hears of it.
std::vector<std::size_t> agree_on_cells(const Sweep& sweep, const SweepDirectory& directory, const RunRequest& request,
                                        const Comm& run, RunSummary& summary,
                                        std::unique_ptr<const LockedFile>& presence) {
  std::vector<double> message;
  run.together([&] {
    if (!run.is_root()) return;
    presence = directory.prepare(sweep, {.accept_changes = request.accept_changes,
                                         .into_existing = request.into_existing,
                                         .keep_checkpoints = request.rerun == RunRequest::Rerun::kAll,
                                         .collect = request.collect});
    if (request.rerun == RunRequest::Rerun::kAll) remove_trainings(directory);
    const std::vector<std::size_t> todo = cells_to_run(sweep, directory, request, summary);
    message = {static_cast<double>(summary.done_before), static_cast<double>(summary.failed_before)};
    message.insert(message.end(), todo.begin(), todo.end());
  });
  message = run.all_gather(message);  // only the root has anything to say
  summary.done_before = static_cast<int>(message[0]);
  summary.failed_before = static_cast<int>(message[1]);
  std::vector<std::size_t> todo;
  for (std::size_t i = 2; i < message.size(); ++i) todo.push_back(static_cast<std::size_t>(message[i]));
  return todo;
}

void load_worlds(const Sweep& sweep, const std::vector<std::size_t>& todo, Worlds& worlds, const Comm& run) {
  constexpr std::size_t kAtOnce = 1000;  // whose settings there is room for
  for (auto& [name, world] : worlds) {
    for (std::size_t begin = 0; begin < todo.size(); begin += kAtOnce) {
      std::vector<Settings> settings;
      for (std::size_t i = begin; i < std::min(todo.size(), begin + kAtOnce); ++i) {
        const Cell& cell = sweep.cells[todo[i]];
        if (cell.workload == name) settings.push_back(cell.settings.whole());
      }
      std::vector<const Settings*> cells;
      for (const Settings& each : settings) cells.push_back(&each);
      if (!cells.empty()) world->load(cells, run);
    }
  }
}

/// One group of ranks at work: takes cells as long as there are any.
class GroupRunner {
 public:
  GroupRunner(const Sweep& sweep, Worlds& worlds, const SweepDirectory& directory, const RunRequest& request,
              const CellQueue* queue, const Comm& group, Progress* progress, std::span<const double> trainings)
      : sweep_(sweep),
        worlds_(worlds),
        directory_(directory),
        request_(request),
        queue_(queue),
        group_(group),
        progress_(progress),
        trainings_(trainings) {
    group.see_through([&] {
      if (group.is_root()) claims_.emplace(directory.path());
    });
  }

  void run() {
    while (const std::optional<CellQueue::Task> task = next()) {
      const Cell& cell = sweep_.cells[task->cell];
      if (claim(cell)) {
        const std::string reason = run(task->cell);
        count(reason, finish(*task, !reason.empty()));
      } else {
        finish(*task, false);
        skipped_.push_back(task->cell);
      }
      if (progress_ != nullptr) progress_->tell(queue_->settled());
    }
    run_skipped();
  }

  [[nodiscard]] std::int64_t ran() const { return ran_; }
  [[nodiscard]] std::int64_t failed() const { return failed_; }
  /// Cells that another job has run or is running.
  [[nodiscard]] std::int64_t elsewhere() const { return elsewhere_; }
  /// Seconds that this rank has spent on cells, less those spent waiting.
  [[nodiscard]] double busy_seconds() const { return busy_seconds_; }

 private:
  /// The other job may have gone, or a dead one's lock may have been given back, since a cell was skipped.
  void run_skipped() {
    for (const std::size_t i : skipped_) {
      if (claim(sweep_.cells[i])) {
        count(run(i), false);
      } else {
        ++elsewhere_;
      }
    }
  }

  void count(const std::string& failure, bool tried_again) {
    ran_ += tried_again ? 0 : 1;
    failed_ += failure.empty() || tried_again ? 0 : 1;
  }

  /// The root asks the queue; the group hears of it.
  std::optional<CellQueue::Task> next() const {
    std::vector<double> message;
    group_.together([&] {
      if (!group_.is_root()) return;
      const auto task = queue_->take([&] { return group_.stop_requested(); });
      if (task) message = {static_cast<double>(task->cell), task->second_attempt ? 1.0 : 0.0};
    });
    message = group_.all_gather(message);
    if (message.empty()) return std::nullopt;
    return CellQueue::Task{.cell = static_cast<std::size_t>(message[0]), .second_attempt = message[1] > 0.0};
  }

  /// Whether the cell is this group's: no other job works on it, nor has finished it since this run was planned.
  bool claim(const Cell& cell) const {
    std::int64_t mine = 0;
    if (group_.is_root() && claims_->take(cell.id)) {
      const bool finished = request_.rerun != RunRequest::Rerun::kAll && directory_.state(cell.id) == CellState::kDone;
      if (finished) claims_->release(cell.id);
      mine = finished ? 0 : 1;
    }
    return group_.sum(mine) > 0;
  }
  void release(const Cell& cell) const {
    if (group_.is_root()) claims_->release(cell.id);
  }

  bool finish(const CellQueue::Task& task, bool failed) const {
    const bool again = group_.is_root() && queue_->finish(task, failed);
    return group_.sum(again ? 1 : 0) > 0;
  }

  /// Runs a cell that was claimed, and releases it; why it failed, or nothing.
  std::string run(std::size_t index) {
    const Cell& cell = sweep_.cells[index];
    const double training = progress_ != nullptr ? trainings_[index] : 0.0;
    const Stopwatch watch;
    const double waited = group_.seconds_waited();
    const auto charge = [&] { busy_seconds_ += watch.seconds() - (group_.seconds_waited() - waited); };
    try {
      CellRunner runner(sweep_, cell, directory_, group_, request_.provenance, progress_, training);
      const std::string reason = runner.run(*worlds_.at(cell.workload));
      charge();
      release(cell);
      const bool none_again = request_.rerun == RunRequest::Rerun::kNone && !sweep_.run.retry_failed;
      if (none_again && group_.is_root()) remove_if_settled(cell.training, sweep_, directory_);
      if (progress_ != nullptr) progress_->cell_finished(training, runner.trained_seconds(), cell.label(), reason);
      return reason;
    } catch (const Interrupted&) {
      charge();
      release(cell);
      throw;
    }
  }

  const Sweep& sweep_;
  Worlds& worlds_;
  const SweepDirectory& directory_;
  const RunRequest& request_;
  const CellQueue* queue_;  // at the root
  const Comm& group_;
  Progress* progress_;
  std::span<const double> trainings_;  // of every cell of the sweep, for it
  std::optional<CellClaims> claims_;   // at the root
  std::vector<std::size_t> skipped_;   // cells that another job was at
  std::int64_t ran_ = 0;
  std::int64_t failed_ = 0;
  std::int64_t elsewhere_ = 0;
  double busy_seconds_ = 0.0;
};

/// Adds up what the groups have done. Collective over `run`.
void add_up(const GroupRunner& runner, const Comm& group, const Comm& run, double seconds, RunSummary& summary) {
  const auto total = [&](std::int64_t count) { return static_cast<int>(run.sum(group.is_root() ? count : 0)); };
  summary.ran = total(runner.ran());
  summary.failed = total(runner.failed());
  summary.elsewhere = total(runner.elsewhere());
  const std::array<double, 1> busy{runner.busy_seconds()};
  const std::vector<double> all = run.all_gather(busy);
  summary.busy_seconds = std::accumulate(all.begin(), all.end(), 0.0);
  summary.allocated_seconds = seconds * run.size();
}

}  // namespace

int Groups::of_rank(int rank) const {
  const Placement placement{.robots = ranks, .ranks = count};
  int group = 0;
  while (rank >= placement.end(group)) ++group;
  return group;
}

int Groups::size(int group) const {
  const Placement placement{.robots = ranks, .ranks = count};
  return placement.end(group) - placement.begin(group);
}

int ranks_per_cell(const Sweep& sweep) {
  if (sweep.run.ranks_per_cell > 0) return sweep.run.ranks_per_cell;
  int largest = 1;
  for (const Cell& cell : sweep.cells) largest = std::max(largest, cell.fleet.robots);
  return largest;
}

Groups make_groups(const Sweep& sweep, int ranks, std::size_t cells) {
  const int useful = static_cast<int>(std::clamp<std::size_t>(cells, 1, static_cast<std::size_t>(ranks)));
  return {.ranks = ranks, .count = std::clamp(ranks / ranks_per_cell(sweep), 1, useful)};
}

double RunSummary::efficiency() const {
  return allocated_seconds > 0.0 ? busy_seconds / allocated_seconds : 0.0;
}

RunSummary run_sweep(const Sweep& sweep, Worlds& worlds, const RunRequest& request, const Comm& run) {
  const Stopwatch watch;
  const std::string started = utc_time();
  RunSummary summary;
  const SweepDirectory directory(sweep.run.output);
  std::unique_ptr<const LockedFile> presence;
  const std::vector<std::size_t> todo = agree_on_cells(sweep, directory, request, run, summary, presence);
  if (todo.empty()) return summary;
  load_worlds(sweep, todo, worlds, run);

  const Groups groups = make_groups(sweep, run.size(), todo.size());
  const int mine = groups.of_rank(run.rank());
  const Comm group = run.split(mine);
  std::string queue_file;
  run.together([&] {
    if (run.is_root()) queue_file = directory.new_queue_file();
  });
  run.broadcast(queue_file);
  together_telling_where(run, [&] {
    require(std::filesystem::exists(queue_file), "there is no file ", queue_file,
            ", which rank 0 has just made: the nodes of a run must share the file system that ", sweep.run.output,
            " lies on");
  });
  std::optional<CellQueue> queue;
  run.see_through([&] {
    if (group.is_root()) queue.emplace(queue_file, todo, mine, groups.count, sweep.run.retry_failed);
  });

  std::optional<Progress> progress;  // the root tells how its own group fares; groups have like shares
  std::vector<double> trainings;
  if (run.is_root()) {
    trainings = expected_trainings(sweep, todo, directory, groups.count);
    const double training = std::accumulate(trainings.begin(), trainings.end(), 0.0);
    const auto trained = std::ranges::count_if(trainings, [](double each) { return each > 0.0; });
    progress.emplace(std::cerr, training, static_cast<int>(todo.size()), groups.count, progress_is_watched(),
                     static_cast<int>(trained));
  }
  GroupRunner runner(sweep, worlds, directory, request, queue ? &*queue : nullptr, group,
                     progress ? &*progress : nullptr, trainings);
  bool interrupted = false;
  try {
    runner.run();
  } catch (const Interrupted&) {
    interrupted = true;
  }
  // Every group arrives here, finished or interrupted: a stop that reached one group ends the run for all, also one
  // that reaches a group which waits here.
  run.see_through([] {});
  if (progress) {
    progress->tell(queue->settled());
    progress->close();
  }
  interrupted = run.sum(interrupted ? 1 : 0) > 0;
  add_up(runner, group, run, watch.seconds(), summary);
  run.see_through([&] {
    if (!run.is_root()) return;
    std::filesystem::remove(queue_file);
    remove_settled(sweep, directory);
    directory.note_run(started, groups.ranks, groups.count, summary, interrupted);
  });
  if (interrupted) throw Interrupted();
  return summary;
}

}  // namespace fleet
