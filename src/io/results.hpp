// The results of cells on disk: one HDF5 file per cell, and many cells joined into one file.
//
// Both have the same tables (docs/analysis/files.md says what is where): cells, metrics, shards, rounds, and optionally
// instruments, weights/<cell>/, permutations/<cell>/ and bases/<cell>/.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/settings.hpp"
#include "io/hdf5.hpp"
#include "io/replaceable.hpp"
#include "train/round_loop.hpp"

namespace fleet {

inline constexpr std::int64_t kResultsSchema = 1;

/// Text attributes that say where results come from: fleet_version, git_revision, mpi, ...
using Provenance = std::map<std::string, std::string>;

/// Everything that is stored of one cell.
struct CellRecord {
  std::string id;
  std::string reason;                                  ///< why it failed; empty when it is done
  std::vector<std::pair<std::string, Value>> columns;  ///< axes first, then what else describes the cell
  std::vector<std::string> axes;                       ///< the keys of the axes
  Settings settings;                                   ///< every key that applies to it
  int ranks = 0;
  std::vector<RoundRecord> rounds;
  double peak_memory_mib = 0.0;
  std::vector<std::vector<std::int64_t>> histograms;  ///< [robot][label]
  const ParamVector* merged = nullptr;                ///< stored when set
  const SymmetrySpec* symmetry = nullptr;             ///< of `merged`, `elements` and `bases`
  std::map<int, GroupElement> elements;               ///< of robots, where the last merge has left any
  std::map<int, RelaxedElement> bases;                ///< the same
};

/// Writes a cell's file, complete or not at all. Error if it cannot be written.
void write_cell_file(const std::filesystem::path& path, const std::string& sweep_name, const std::string& config,
                     const CellRecord& cell, const Provenance& provenance);

/// Files of joined cells, and cells' own files of the sweep "barrier", as `fleet barrier` writes them. Other programs
/// may have opened them for writing since.
[[nodiscard]] bool is_joined_results(const std::filesystem::path& file);
[[nodiscard]] bool is_barrier_results(const std::filesystem::path& file);
inline constexpr FileKind kJoinedResults{"file of a sweep's results", is_joined_results};
inline constexpr const char* kBarrier = "barrier";
inline constexpr FileKind kBarrierResults{"file of barriers", is_barrier_results};

/// Joins cell files of the sweep with configuration `config` and these axes, in the order given, into one. Columns that
/// some of the cells lack, as they were run before the sweep had these axes, are filled from their settings. Error
/// names a file that is damaged, of another schema, or not named after the cell in it (ID.h5 or ID.failed.h5).
void join_cell_files(std::span<const std::filesystem::path> files, const std::string& config,
                     const std::vector<std::string>& axes, const std::filesystem::path& output);

/// The table of cells of a results file, with the columns cell, id and `wanted`. Error if a column is missing or of
/// another type, or if there are no rows.
[[nodiscard]] Table read_cells(const Hdf5Reader& file, std::span<const ColumnSpec> wanted = {});
/// The table of metrics of a file that has so many cells. Error also for a row of a cell that is not one of them.
[[nodiscard]] Table read_metrics(const Hdf5Reader& file, std::size_t cells);

}  // namespace fleet
