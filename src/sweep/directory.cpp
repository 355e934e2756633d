#include "sweep/directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iterator>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "base/process.hpp"
#include "io/atomic_file.hpp"
#include "io/hdf5.hpp"
#include "io/replaceable.hpp"
#include "io/results.hpp"
#include "io/toml.hpp"
#include "sweep/claims.hpp"
#include "sweep/directory_files.hpp"

namespace fleet {
namespace {

/// Opens a file of a sweep for reading. ConfigError for what is no plain file: a pipe would be waited for.
std::ifstream open_plain(const std::filesystem::path& file) {
  std::error_code absent;
  const std::filesystem::file_status status = std::filesystem::symlink_status(file, absent);
  if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
    throw ConfigError(cat(file.string(), " is no plain file, as what a sweep has by this name: remove it"));
  }
  return std::ifstream(file, std::ios::binary);
}

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in = open_plain(file);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Lines of one text that the other lacks, marked - and +.
std::string difference(const std::string& before, const std::string& after) {
  const auto lines_of = [](const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  };
  const auto only_in = [&](const std::string& text, const std::string& other, const char* mark) {
    const std::vector<std::string> others = lines_of(other);
    const std::set<std::string> known(others.begin(), others.end());
    std::string only;
    for (const std::string& line : lines_of(text)) {
      if (!known.contains(line)) only += cat("\n  ", mark, ' ', line);
    }
    return only;
  };
  const std::string changed = only_in(before, after, "-") + only_in(after, before, "+");
  return changed.empty() ? "\n  the same lines in another order: " + only_in(after, "", "+") : changed;
}

}  // namespace

std::string SweepDirectory::changes(const Sweep& sweep) const {
  const std::filesystem::path config = path_ / "sweep.toml";
  if (!std::filesystem::exists(config)) return "";
  const std::string before = read_text(config);
  return before == sweep.config ? "" : difference(before, sweep.config);
}

void SweepDirectory::require_unchanged(const Sweep& sweep) const {
  const std::string changed = changes(sweep);
  if (changed.empty()) return;
  throw ConfigError(cat(path_.string(), " holds a sweep of another configuration:", changed,
                        "\nGive this one a directory of its own (--output DIR), or keep the cells that are the same in "
                        "both and run the others here (--accept-changes)."));
}

std::string SweepDirectory::obstacle(const Preparation& allowed) const {
  const std::string reason = why_not_for_a_sweep(path_, allowed.into_existing);
  if (!reason.empty() || !allowed.collect) return reason;
  return why_not_replaceable(joined_file(), kJoinedResults);
}

std::unique_ptr<const LockedFile> SweepDirectory::prepare(const Sweep& sweep, const Preparation& allowed) const {
  if (const std::string reason = obstacle(allowed); !reason.empty()) throw ConfigError(reason);
  std::error_code error;
  std::filesystem::create_directories(path_ / "cells", error);
  require(!error, "cannot create the results directory ", path_.string(), ": ", error.message());
  auto lock = std::make_unique<LockedFile>(path_ / "cells.lock");
  lock->lock(0);  // jobs that start together prepare one after another
  if (!allowed.accept_changes) require_unchanged(sweep);
  if (lock->try_lock(kPresenceByte)) remove_leftovers(path_, allowed.keep_checkpoints);
  lock->share(kPresenceByte);
  std::string list;
  for (const Cell& cell : sweep.cells) list += cat(cell.id, '\t', cell.label(), '\n');
  write_file_atomically(path_ / "sweep.toml", sweep.config);
  write_file_atomically(path_ / "cells.tsv", list);
  lock->unlock(0);
  return lock;
}

std::filesystem::path SweepDirectory::new_queue_file() const {
  std::string pattern = path_ / kQueuePattern;
  errno = 0;
  const int file = ::mkstemp(pattern.data());
  require(file >= 0, "cannot create ", pattern, system_reason());
  ::close(file);
  return pattern;
}

CellState SweepDirectory::state(const std::string& id) const {
  if (is_plain_file(done_file(id))) return CellState::kDone;
  if (is_plain_file(failed_file(id))) return CellState::kFailed;
  if (is_plain_file(running_file(id))) return CellState::kRunning;
  return CellState::kPending;
}

CellState state_in(const CellStates& states, const std::string& id) {
  const auto found = states.find(id);
  return found == states.end() ? CellState::kPending : found->second;
}

CellStates SweepDirectory::states() const {
  constexpr std::array<std::pair<std::string_view, CellState>, 3> kSuffixes{
      {{".running", CellState::kRunning}, {".failed.h5", CellState::kFailed}, {".h5", CellState::kDone}}};
  CellStates states;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_ / "cells", error)) {
    const std::string name = entry.path().filename().string();
    for (const auto& [suffix, state] : kSuffixes) {
      if (!name.ends_with(suffix)) continue;
      if (!is_plain_file(entry.path())) break;  // a link leads to what is not this sweep's
      CellState& known = states[name.substr(0, name.size() - suffix.size())];
      known = std::max(known, state);  // a cell that is run again is done all the same
      break;
    }
  }
  return states;
}

std::filesystem::path SweepDirectory::training_file(const std::string& name) const {
  return cell(name, kTraining);
}

std::vector<std::string> SweepDirectory::trainings() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_ / "cells", error)) {
    const std::string name = entry.path().stem().string();
    if (entry.path().extension() == kTraining && is_id(name) && is_plain_file(entry.path())) names.push_back(name);
  }
  return names;
}

std::vector<CellStatus> SweepDirectory::planned() const {
  std::ifstream in = open_plain(path_ / "cells.tsv");
  require(in.is_open(), path_.string(), " is not a sweep's directory: it has no cells.tsv");
  std::vector<CellStatus> cells;
  for (std::string line; std::getline(in, line);) {
    const std::size_t tab = line.find('\t');
    require(tab != std::string::npos, (path_ / "cells.tsv").string(), ": line ", cells.size() + 1, " has no tab");
    cells.push_back({line.substr(0, tab), line.substr(tab + 1)});
  }
  return cells;
}

std::vector<CellStatus> SweepDirectory::status() const {
  std::vector<CellStatus> cells = planned();
  const CellStates known = states();
  for (CellStatus& cell : cells) {
    cell.state = state_in(known, cell.id);
    if (cell.state == CellState::kRunning) cell.detail = read_text(running_file(cell.id));
    const bool ended_meanwhile = cell.state == CellState::kRunning && cell.detail.empty();
    if (ended_meanwhile) cell.state = state(cell.id);
    if (cell.state == CellState::kFailed) {
      constexpr std::array kWhy = {ColumnSpec{"reason", ColumnType::kText}};
      cell.detail = read_cells(Hdf5Reader(failed_file(cell.id)), kWhy).column<std::string>("reason").front();
    }
  }
  return cells;
}

std::vector<std::filesystem::path> SweepDirectory::cell_files() const {
  std::vector<std::filesystem::path> files;
  const CellStates known = states();
  for (const CellStatus& cell : planned()) {
    const CellState found = state_in(known, cell.id);
    if (found == CellState::kDone) files.push_back(done_file(cell.id));
    if (found == CellState::kFailed) files.push_back(failed_file(cell.id));
  }
  return files;
}

namespace {

constexpr std::array kRunColumns = {"started",   "finished", "ended",       "ranks",        "groups",
                                    "cells_ran", "failed",   "rank_s_busy", "rank_s_total", "efficiency"};

}  // namespace

void SweepDirectory::note_run(const std::string& started, int ranks, int groups, const RunSummary& summary,
                              bool interrupted) const {
  const std::filesystem::path path = path_ / "runs.tsv";
  const Descriptor file = open_own_file(path, O_WRONLY | O_APPEND | O_CREAT);
  std::ostringstream text;
  if (std::filesystem::file_size(path) == 0) {
    for (const char* column : kRunColumns) text << column << (column == kRunColumns.back() ? '\n' : '\t');
  }
  text << std::fixed << std::setprecision(3) << started << '\t' << utc_time() << '\t'
       << (interrupted ? "interrupted" : "done") << '\t' << ranks << '\t' << groups << '\t' << summary.ran << '\t'
       << summary.failed << '\t' << summary.busy_seconds << '\t' << summary.allocated_seconds << '\t'
       << summary.efficiency() << '\n';
  const std::string line = text.str();
  errno = 0;  // one short write: lines of several jobs do not mix
  const ssize_t written = ::write(file.number(), line.data(), line.size());
  require(written == static_cast<ssize_t>(line.size()), "cannot write ", path.string(), system_reason());
}

std::vector<std::pair<std::string, std::string>> SweepDirectory::last_run() const {
  std::ifstream in = open_plain(path_ / "runs.tsv");
  std::string last;
  for (std::string line; std::getline(in, line);) last = line;
  std::vector<std::pair<std::string, std::string>> run;
  std::istringstream fields(last);
  for (std::string value; run.size() < kRunColumns.size() && std::getline(fields, value, '\t');) {
    run.emplace_back(kRunColumns[run.size()], value);
  }
  return run.size() == kRunColumns.size() ? run : decltype(run){};
}

std::filesystem::path SweepDirectory::joined_file() const {
  return fleet::joined_file(path_);
}

void SweepDirectory::collect(const std::filesystem::path& output) const {
  const std::vector<std::filesystem::path> files = cell_files();
  require(!files.empty(), path_.string(), " has no finished cells yet");
  require_replaceable(output, kJoinedResults);
  const std::string config = read_text(path_ / "sweep.toml");
  join_cell_files(files, config, axis_keys(parse_toml(config, (path_ / "sweep.toml").string())), output);
}

}  // namespace fleet
