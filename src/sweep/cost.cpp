#include "sweep/cost.hpp"

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "io/results.hpp"
#include "sweep/common_training.hpp"

namespace fleet {
namespace {

constexpr int kCellsPerMethod = 5;
constexpr std::array kMeasured = {
    ColumnSpec{"seconds_total", ColumnType::kReal}, ColumnSpec{"seconds_train", ColumnType::kReal},
    ColumnSpec{"ranks", ColumnType::kInteger}, ColumnSpec{"peak_memory_mib", ColumnType::kReal}};

}  // namespace

CostModel::CostModel(const Sweep& sweep, const SweepDirectory& directory, const CellStates& states) {
  for (const Cell& cell : sweep.cells) {
    if (state_in(states, cell.id) != CellState::kDone) continue;
    Rate& rate = rates_[{cell.workload, cell.method}];
    if (rate.cells < kCellsPerMethod) measure(cell, directory.done_file(cell.id), rate);
  }
  for (const auto& [name, rate] : rates_) {
    overall_.rank_seconds += rate.rank_seconds;
    overall_.training += rate.training;
    overall_.cost += rate.cost;
  }
}

void CostModel::measure(const Cell& cell, const std::filesystem::path& file, Rate& rate) {
  ++rate.cells;
  try {
    const Table cells = read_cells(Hdf5Reader(file), kMeasured);
    const int ranks = cells.column<std::int32_t>("ranks").front();
    rate.rank_seconds += cells.column<double>("seconds_total").front() * ranks;
    rate.training += cells.column<double>("seconds_train").front() * ranks;
    rate.cost += cell.cost();
    peak_memory_mib_ = std::max(peak_memory_mib_, cells.column<double>("peak_memory_mib").front());
    ++measured_;
  } catch (const Error&) {
    // A damaged file tells nothing about costs; whoever needs what is in it will say so.
  }
}

double CostModel::Rate::value(bool trains) const {
  if (cost <= 0.0) return trains ? 1.0 : kMergeAlone;
  return (trains ? rank_seconds : rank_seconds - training) / cost;
}

double CostModel::rank_seconds(const Cell& cell, bool trains) const {
  const auto found = rates_.find({cell.workload, cell.method});
  return cell.cost() * (found != rates_.end() && found->second.cost > 0.0 ? found->second : overall_).value(trains);
}

}  // namespace fleet
