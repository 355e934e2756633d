#include "sweep/runner.hpp"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <numeric>

#include "base/error.hpp"
#include "base/process.hpp"
#include "comm/placement.hpp"
#include "sweep/progress.hpp"

namespace fleet {
namespace {

/// The cells of this job that are still to be run.
std::vector<std::size_t> cells_to_run(const Sweep& sweep, const SweepDirectory& directory, const RunRequest& request,
                                      RunSummary& summary) {
  std::vector<std::size_t> todo;
  for (std::size_t i = 0; i < sweep.cells.size(); ++i) {
    if (static_cast<int>(i % static_cast<std::size_t>(request.shards)) != request.shard) continue;
    const CellState state = directory.state(sweep.cells[i].id);
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
  return todo;
}

/// The root decides what there is to do; everybody hears of it.
std::vector<std::size_t> agree_on_cells(const Sweep& sweep, const SweepDirectory& directory, const RunRequest& request,
                                        const Comm& run, RunSummary& summary) {
  std::vector<double> message;
  run.together([&] {
    if (!run.is_root()) return;
    directory.prepare(sweep, request.accept_changes);
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

/// Which group runs which cell: costliest first, each to the group with the least to do per rank. The same on every
/// rank.
std::vector<std::vector<std::size_t>> assign(const Sweep& sweep, std::vector<std::size_t> todo, const Groups& groups) {
  std::stable_sort(todo.begin(), todo.end(),
                   [&](std::size_t a, std::size_t b) { return sweep.cells[a].cost() > sweep.cells[b].cost(); });
  std::vector<std::vector<std::size_t>> assigned(static_cast<std::size_t>(groups.count));
  std::vector<double> load(assigned.size(), 0.0);
  for (const std::size_t cell : todo) {
    const auto group = static_cast<std::size_t>(std::min_element(load.begin(), load.end()) - load.begin());
    assigned[group].push_back(cell);
    load[group] += sweep.cells[cell].cost() / groups.size(static_cast<int>(group));
  }
  for (std::vector<std::size_t>& cells : assigned) std::sort(cells.begin(), cells.end());
  return assigned;
}

/// The file that says who runs a cell and how far it is, for the life of the object; one that outlives a killed process
/// tells which that was.
class RunningMarker {
 public:
  RunningMarker(const Comm& group, std::filesystem::path file) : is_root_(group.is_root()), file_(std::move(file)) {
    write("starting");
  }
  RunningMarker(const RunningMarker&) = delete;
  RunningMarker& operator=(const RunningMarker&) = delete;
  ~RunningMarker() {
    std::error_code ignored;
    if (is_root_) std::filesystem::remove(file_, ignored);
  }

  void write(const std::string& place) const {
    if (!is_root_) return;
    std::ofstream(file_) << host_name() << ", process " << ::getpid() << ", " << place << ", " << utc_time();
  }

 private:
  bool is_root_;
  std::filesystem::path file_;
};

/// Runs one cell on a group and leaves its file.
class CellRunner {
 public:
  CellRunner(const Sweep& sweep, const Cell& cell, const SweepDirectory& directory, const Comm& group,
             const RunRequest& request, Progress* progress)
      : sweep_(sweep), cell_(cell), directory_(directory), group_(group), request_(request), progress_(progress) {}

  /// The reason for which it failed; empty when it is done.
  std::string run(World& world) {
    const RunningMarker marker(group_, directory_.running_file(cell_.id));
    CellRecord record{.id = cell_.id, .columns = cell_.columns(), .ranks = group_.size()};
    for (const std::string& key : sweep_.axis_keys()) record.axes += (record.axes.empty() ? "" : "\n") + key;
    const std::string started = utc_time();
    std::unique_ptr<Workload> workload;
    CellResult result;
    try {
      result = train(world, workload, record, marker);
    } catch (const Error& error) {
      record.reason = error.what();
    }
    total_over_ranks(record);
    if (sweep_.run.save_weights && record.reason.empty()) keep_weights(result, *workload, record);
    group_.together([&] {
      if (!group_.is_root()) return;
      Provenance provenance = request_.provenance;
      provenance["started"] = started;
      provenance["finished"] = utc_time();
      const bool failed = !record.reason.empty();
      write_cell_file(failed ? directory_.failed_file(cell_.id) : directory_.done_file(cell_.id), sweep_.name,
                      sweep_.config, record, provenance);
      std::error_code ignored;  // what an earlier run left of this cell
      std::filesystem::remove(failed ? directory_.done_file(cell_.id) : directory_.failed_file(cell_.id), ignored);
    });
    return record.reason;
  }

 private:
  CellResult train(World& world, std::unique_ptr<Workload>& workload, CellRecord& record, const RunningMarker& marker) {
    SettingsReader settings(cell_.settings);
    const MergerEntry& entry = find_merger(cell_.method);
    const std::unique_ptr<Merger> merger = entry.make(settings);
    group_.together([&] { workload = world.make(cell_.settings); });
    record.histograms = workload->histograms();
    std::vector<std::unique_ptr<RoundObserver>> observers;
    if (cell_.instruments.any()) observers.push_back(std::make_unique<Instruments>(cell_.instruments, *workload));
    if (sweep_.run.save_models != SavedModels::kNone) {
      observers.push_back(std::make_unique<ModelSaver>(sweep_.run.save_models, directory_.models(cell_.id),
                                                       cell_.settings, request_.provenance,
                                                       entry.regime == Regime::kJoint));
    }
    std::vector<RoundObserver*> looking;
    for (const auto& observer : observers) looking.push_back(observer.get());
    const double round_cost = cell_.cost() / cell_.fleet.rounds();
    const auto emit = [&](const RoundRecord& round) {
      record.rounds.push_back(round);
      const std::string place = cat("round ", round.round, " of ", cell_.fleet.rounds());
      marker.write(place);
      if (progress_ != nullptr) progress_->advance(round_cost, cat(place, ", ", cell_.label()));
    };
    return run_cell(cell_.fleet, entry.regime, merger.get(), *workload, group_, emit, looking);
  }

  /// Bytes become the group's sum, memory its largest rank.
  void total_over_ranks(CellRecord& record) const {
    for (RoundRecord& round : record.rounds) {
      round.bytes_moved = static_cast<std::uint64_t>(group_.sum(static_cast<std::int64_t>(round.bytes_moved)));
    }
    record.peak_memory_mib = group_.max(peak_memory_mib());
  }

  /// Brings the permutations of all ranks to the root.
  void keep_weights(const CellResult& result, const Workload& workload, CellRecord& record) {
    if (result.merged) record.merged = &*result.merged;
    record.symmetry = &workload.symmetry();
    std::vector<double> flat;
    for (std::size_t i = 0; i < result.elements.size(); ++i) {
      flat.push_back(result.element_robots[i]);
      for (const Permutation& permutation : result.elements[i])
        flat.insert(flat.end(), permutation.begin(), permutation.end());
    }
    const std::vector<double> all = group_.all_gather(flat);
    for (auto next = all.begin(); next != all.end();) {
      RobotElement element{static_cast<int>(*next++), workload.symmetry().identity()};
      for (Permutation& permutation : element.element) {
        for (int& unit : permutation) unit = static_cast<int>(*next++);
      }
      record.elements.push_back(std::move(element));
    }
  }

  const Sweep& sweep_;
  const Cell& cell_;
  const SweepDirectory& directory_;
  const Comm& group_;
  const RunRequest& request_;
  Progress* progress_;
};

void load_worlds(const Sweep& sweep, const std::vector<std::size_t>& todo, Worlds& worlds, const Comm& run) {
  for (auto& [name, world] : worlds) {
    std::vector<const Settings*> cells;
    for (const std::size_t i : todo) {
      if (sweep.cells[i].workload == name) cells.push_back(&sweep.cells[i].settings);
    }
    if (!cells.empty()) world->load(cells, run);
  }
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

Groups make_groups(const Sweep& sweep, int ranks, std::size_t cells) {
  int per_cell = sweep.run.ranks_per_cell;
  if (per_cell == 0) {
    per_cell = 1;
    for (const Cell& cell : sweep.cells) per_cell = std::max(per_cell, cell.fleet.robots);
  }
  const int useful = static_cast<int>(std::clamp<std::size_t>(cells, 1, static_cast<std::size_t>(ranks)));
  return {.ranks = ranks, .count = std::clamp(ranks / per_cell, 1, useful)};
}

RunSummary run_sweep(const Sweep& sweep, Worlds& worlds, const RunRequest& request, const Comm& run) {
  RunSummary summary;
  const SweepDirectory directory(sweep.run.output);
  const std::vector<std::size_t> todo = agree_on_cells(sweep, directory, request, run, summary);
  if (todo.empty()) return summary;
  load_worlds(sweep, todo, worlds, run);

  const Groups groups = make_groups(sweep, run.size(), todo.size());
  const int mine = groups.of_rank(run.rank());
  const Comm group = run.split(mine);
  const std::vector<std::size_t> cells = assign(sweep, todo, groups)[static_cast<std::size_t>(mine)];

  std::optional<Progress> progress;  // the root tells how its own group fares; groups have like shares
  if (run.is_root()) {
    double cost = 0.0;
    for (const std::size_t i : cells) cost += sweep.cells[i].cost();
    progress.emplace(std::cerr, cost, static_cast<int>(cells.size()), progress_is_watched());
  }
  std::int64_t failed = 0;
  bool interrupted = false;
  try {
    for (const std::size_t i : cells) {
      const Cell& cell = sweep.cells[i];
      CellRunner runner(sweep, cell, directory, group, request, progress ? &*progress : nullptr);
      const std::string reason = runner.run(*worlds.at(cell.workload));
      failed += reason.empty() ? 0 : 1;
      if (progress) progress->cell_finished(cell.cost(), cell.label(), reason);
    }
  } catch (const Interrupted&) {
    interrupted = true;
  }
  if (progress) progress->close();
  // Every group arrives here, finished or interrupted: a stop that reached one group ends the run for all.
  if (run.sum(interrupted ? 1 : 0) > 0) throw Interrupted();
  summary.ran = static_cast<int>(todo.size());
  summary.failed = static_cast<int>(run.sum(group.is_root() ? failed : 0));
  return summary;
}

}  // namespace fleet
