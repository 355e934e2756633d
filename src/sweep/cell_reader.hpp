// Reads the cells of a sweep, one after another, each from its settings: the options of its fleet, its method and its
// world, what planning needs to know of it, and its identity.
#pragma once

#include <span>
#include <string>

#include "sweep/cell.hpp"
#include "sweep/cell_settings.hpp"

namespace fleet {

class CellReader {
 public:
  /// Makes the worlds that `worlds` lack; keeps both. `shares_training`: whether cells are told what they train.
  CellReader(std::span<const WorldEntry> table, Worlds& worlds, bool shares_training)
      : table_(table), worlds_(worlds), shares_training_(shares_training) {}

  /// All of `cell` but its axes, which are there. ConfigError for a setting that cannot be read, does not fit the
  /// others, or asks for more than any machine has.
  void read(const Settings& chosen, Cell& cell);

  /// What the cells read; of keys that vary, the first cell's value.
  [[nodiscard]] const Settings& applied() const { return applied_; }
  /// What cells have to say of keys that they do not read.
  [[nodiscard]] const Reasons& ruled_out() const { return ruled_out_; }

 private:
  [[nodiscard]] World& world_of(const std::string& name);
  /// What a method is decided by besides its options, and these, defaults included.
  struct Look {
    std::string content;
    Settings resolved;
  };
  [[nodiscard]] const Look& look(const MergerEntry& method, const Settings& chosen);
  [[nodiscard]] std::string identity(const Settings& resolved, const Cell& cell, const std::string& looked_at);

  std::span<const WorldEntry> table_;
  Worlds& worlds_;
  bool shares_training_;
  SettingsPool pool_;
  Settings applied_;
  Reasons ruled_out_;
  std::map<std::string, Look> looks_;  // by method and options
  std::string text_;                   // of one cell, whose room the next ones use again
};

/// Reads what of "fleet.*", "train.*", "merge.*" and "evaluate.*" every cell reads, and "seed".
[[nodiscard]] FleetOptions read_fleet_options(SettingsReader& settings);

/// Reads "merge.method" of the settings `chosen`; names by which others know a method are answered.
/// `merging`: reference lines are no choice.
[[nodiscard]] std::string read_method(const Settings& chosen, SettingsReader& settings, bool merging = false);

/// Reads "workload", one of the table's.
[[nodiscard]] std::string read_workload(SettingsReader& settings, std::span<const WorldEntry> table);

/// What the reference line "joint" reads.
void read_joint_options(SettingsReader& reader, FleetOptions& options);

}  // namespace fleet
