// From one configuration to many cells.
//
// A configuration is a base and axes: every key under [sweep.grid] takes each of its values in turn, the keys of a
// [[sweep.zip]] table advance together, and a [[sweep.exclude]] table leaves cells out. A cell is one choice for all
// axes; it is named by a hash of everything that decides its outcome, be it on an axis or not.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "instruments/instruments.hpp"
#include "sweep/axes.hpp"
#include "sweep/cell_settings.hpp"
#include "sweep/model_saver.hpp"
#include "sweep/world.hpp"
#include "train/round_loop.hpp"

namespace fleet {

/// How to run, as opposed to what: no part of a cell's identity.
struct RunOptions {
  std::string output;      ///< directory of the sweep; "results/<name>" by default
  int ranks_per_cell = 0;  ///< 0: as many as the largest fleet has robots
  int threads = 1;         ///< per rank
  bool save_weights = false;
  SavedModels save_models = SavedModels::kNone;
  CheckpointOptions checkpoint;
  bool retry_failed = false;   ///< once, on another group of ranks
  bool share_training = true;  ///< cells that train alike do it once
};

struct Cell {
  std::string id;   ///< sixteen hexadecimal digits
  AxisValues axes;  ///< this cell's
  CellSettings settings;
  FleetOptions fleet;
  InstrumentOptions instruments;
  std::string workload;
  std::string method;
  std::optional<Exchange> exchange;  ///< of its method; none where nothing is merged
  bool sums_moments = false;         ///< whether its method works with second moments of what enters layers
  CellFacts facts;
  std::string training;  ///< what it has in common with other cells of the sweep, by name (training_of); or empty

  /// "merge.method=average fleet.alpha=0.1".
  [[nodiscard]] std::string label() const;
  /// What the cells table says of it: the axes, then what is said of every cell.
  [[nodiscard]] std::vector<std::pair<std::string, Value>> columns() const;
  /// Expected work, in arbitrary units.
  [[nodiscard]] double cost() const;
};

struct Sweep {
  std::string name;
  RunOptions run;
  std::vector<Axis> axes;
  std::vector<Exclusion> exclusions;
  std::vector<Cell> cells;
  std::size_t left_out = 0;  ///< cells that the exclusions cover
  std::string config;    ///< canonical text of all that decides results: base with defaults, axes, what is left out,
                         ///< names of the data
  std::string resolved;  ///< the same with how it is run and where its data lie: a configuration to start from

  /// Whether ranks are to compute on their node's GPUs, for any cell.
  [[nodiscard]] bool asks_for_gpus() const;
};

/// The worlds in use, by name, kept from planning to running.
using Worlds = std::map<std::string, std::unique_ptr<World>, std::less<>>;

/// A directory's name as its joined file extends it: "out/" is "out".
[[nodiscard]] std::string without_trailing_slash(std::string path);

/// Reads "name", which is that of a sweep: `name` by default.
void read_name(SettingsReader& settings, std::string& name);

/// Reads "run.*" but where data lie; the output is "results/`name`" by default.
[[nodiscard]] RunOptions read_run_options(SettingsReader& settings, const std::string& name);

/// Expands and checks a configuration. ConfigError names file, line, column, key and what would be right.
[[nodiscard]] Sweep expand(const Settings& settings, std::string_view default_name, std::span<const WorldEntry> table,
                           Worlds& worlds);

}  // namespace fleet
