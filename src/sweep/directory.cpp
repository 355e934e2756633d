#include "sweep/directory.hpp"

#include <fstream>
#include <iterator>
#include <set>
#include <sstream>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "io/results.hpp"

namespace fleet {
namespace {

std::string read_text(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
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

void SweepDirectory::prepare(const Sweep& sweep, bool accept_changes) const {
  const std::filesystem::path config = path_ / "sweep.toml";
  if (std::filesystem::exists(config)) {
    const std::string before = read_text(config);
    if (before != sweep.config && !accept_changes) {
      throw ConfigError(
          cat(path_.string(), " holds a sweep of another configuration:", difference(before, sweep.config),
              "\nGive this one a directory of its own (--output DIR), or keep the cells that are the same "
              "in both and run the others here (--accept-changes)."));
    }
  }
  std::error_code error;
  std::filesystem::create_directories(path_ / "cells", error);
  require(!error, "cannot create the results directory ", path_.string(), ": ", error.message());
  std::string list;
  for (const Cell& cell : sweep.cells) list += cat(cell.id, '\t', cell.label(), '\n');
  write_file_atomically(config, sweep.config);
  write_file_atomically(path_ / "cells.tsv", list);
}

CellState SweepDirectory::state(const std::string& id) const {
  if (std::filesystem::exists(done_file(id))) return CellState::kDone;
  if (std::filesystem::exists(failed_file(id))) return CellState::kFailed;
  if (std::filesystem::exists(running_file(id))) return CellState::kRunning;
  return CellState::kPending;
}

std::vector<CellStatus> SweepDirectory::planned() const {
  std::ifstream in(path_ / "cells.tsv");
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
  for (CellStatus& cell : cells) {
    cell.state = state(cell.id);
    if (cell.state == CellState::kFailed) {
      cell.detail = Hdf5Reader(failed_file(cell.id)).read_table("cells").column<std::string>("reason").front();
    } else if (cell.state == CellState::kRunning) {
      cell.detail = read_text(running_file(cell.id));
    }
  }
  return cells;
}

std::vector<std::filesystem::path> SweepDirectory::cell_files() const {
  std::vector<std::filesystem::path> files;
  for (const CellStatus& cell : planned()) {
    const CellState found = state(cell.id);
    if (found == CellState::kDone) files.push_back(done_file(cell.id));
    if (found == CellState::kFailed) files.push_back(failed_file(cell.id));
  }
  return files;
}

void SweepDirectory::collect(const std::filesystem::path& output) const {
  const std::vector<std::filesystem::path> files = cell_files();
  require(!files.empty(), path_.string(), " has no finished cells yet");
  join_cell_files(files, read_text(path_ / "sweep.toml"), output);
}

}  // namespace fleet
