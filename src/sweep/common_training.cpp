#include "sweep/common_training.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "base/hash.hpp"
#include "sweep/directory_files.hpp"
#include "sweep/methods.hpp"

namespace fleet {
namespace {

/// Of "merge.*", what training depends on: how long it is, who takes part, and what robots keep of it. "privacy.*" is
/// about merges.
constexpr std::array<std::string_view, 6> kBefore = {"merge.every_epochs", "merge.participation", "merge.participants",
                                                     "merge.dropped",      "merge.late",          "merge.moments"};

bool comes_after(std::string_view key) {
  if (key.starts_with("privacy.")) return true;
  return key.starts_with("merge.") && std::ranges::find(kBefore, key) == kBefore.end();
}

}  // namespace

std::string training_of(const Settings& resolved, const Cell& cell) {
  const Regime regime = find_method(cell.method).regime;
  const FleetOptions& fleet = cell.fleet;
  if (regime == Regime::kJoint || fleet.training_rounds() > 1 || !cell.facts.savable) return "";
  const bool merges = regime == Regime::kMerge;
  Hash name;
  for (const auto& [key, setting] : resolved) {
    if (key.starts_with("run.") || comes_after(key) || std::ranges::count(cell.facts.data_keys, key) > 0) continue;
    name.add(key).add(setting.value.to_string());
  }
  name.add(cell.facts.data);
  // What the reference line "local" does whatever these keys say: all robots train, none is late, all are tested.
  name.add(merges && fleet.trainees != FleetOptions::Trainees::kAll ? "some" : "all");
  name.add(merges && fleet.late > 0.0 ? "late" : "in time");
  name.add(merges && fleet.local_tests == FleetOptions::LocalTests::kNever ? "untested" : "tested");
  return name.hex();
}

void keep_common(std::vector<Cell>& cells) {
  std::map<std::string_view, int> counts;
  for (const Cell& cell : cells) ++counts[cell.training];
  std::vector<Cell*> alone;
  for (Cell& cell : cells) {
    if (counts[cell.training] == 1) alone.push_back(&cell);
  }
  for (Cell* cell : alone) cell->training.clear();
}

std::vector<bool> trains(const Sweep& sweep, const std::vector<std::size_t>& todo, const SweepDirectory& directory,
                         int groups) {
  std::set<std::string_view> known;
  std::vector<bool> trains;
  for (const std::size_t i : todo) {
    const std::string& training = sweep.cells[i].training;
    const bool first = training.empty() || known.insert(training).second;
    trains.push_back(first && (training.empty() || !is_plain_file(directory.training_file(training))));
  }
  auto idle = groups - std::ranges::count(trains, true);
  for (std::size_t i = 0; i < trains.size() && idle > 0; ++i) {
    const std::string& training = sweep.cells[todo[i]].training;
    if (trains[i] || is_plain_file(directory.training_file(training))) continue;
    trains[i] = true;
    --idle;
  }
  return trains;
}

void remove_if_settled(const std::string& training, const Sweep& sweep, const SweepDirectory& directory) {
  const auto waits = [&](const Cell& cell) {
    if (cell.training != training) return false;
    const CellState state = directory.state(cell.id);
    return state != CellState::kDone && state != CellState::kFailed;
  };
  if (training.empty() || std::ranges::any_of(sweep.cells, waits)) return;
  std::error_code ignored;
  std::filesystem::remove(directory.training_file(training), ignored);
}

void remove_settled(const Sweep& sweep, const SweepDirectory& directory) {
  std::set<std::string_view> own;
  for (const Cell& cell : sweep.cells) own.insert(cell.training);
  for (const std::string& training : directory.trainings()) {
    if (own.contains(training)) remove_if_settled(training, sweep, directory);
  }
}

void remove_trainings(const SweepDirectory& directory) {
  std::error_code ignored;
  for (const std::string& training : directory.trainings()) {
    std::filesystem::remove(directory.training_file(training), ignored);
  }
}

}  // namespace fleet
