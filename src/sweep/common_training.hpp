// Cells of one sweep that differ in nothing else than what becomes of trained robots train them once.
//
// It holds for cells whose robots train in one round, that is before any merge: a one-shot sweep over methods. Who
// begins first trains, tests the robots' own policies, and leaves both in the sweep's directory
// (SweepDirectory::training_file); who begins when that is done goes on from there, with the bits that it would have
// come to itself. Nobody waits: with more groups of ranks than trainings some are done more than once.
#pragma once

#include <string>
#include <vector>

#include "sweep/directory.hpp"

namespace fleet {

/// Cost of a cell that need not train, as a share of one that does: for progress, and for sweeps of which nothing is
/// known yet.
inline constexpr double kMergeAlone = 0.1;

/// Names what a cell's robots learn and are tested by until they are merged, from `resolved`, its settings: sixteen
/// hexadecimal digits. Empty where there is nothing to share: `joint` has no robots, other cells merge in between.
[[nodiscard]] std::string training_of(const Settings& resolved, const Cell& cell);

/// Leaves the names (Cell::training) that several cells have.
void keep_common(std::vector<Cell>& cells);

/// Which of the cells `todo` train for themselves, in its order, where so many groups begin with one each: the first of
/// each name, unless it is in the directory, those that have none, and who begins beside these.
[[nodiscard]] std::vector<bool> trains(const Sweep& sweep, const std::vector<std::size_t>& todo,
                                       const SweepDirectory& directory, int groups = 1);

/// Removes a training of the sweep for which no cell waits any more, and, after a run, all such.
void remove_if_settled(const std::string& training, const Sweep& sweep, const SweepDirectory& directory);
void remove_settled(const Sweep& sweep, const SweepDirectory& directory);
/// Removes all, of whatever sweep: before cells are run again that may have been trained otherwise.
void remove_trainings(const SweepDirectory& directory);

}  // namespace fleet
