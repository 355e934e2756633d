// What a configuration varies: axes, and the points on them that are left out.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/settings.hpp"

namespace fleet {

/// Keys that vary together, and their values at each point.
struct Axis {
  std::vector<std::string> keys;
  std::vector<Source> sources;             ///< where each key was written
  std::vector<std::vector<Value>> points;  ///< [point][key]
  bool zipped = false;                     ///< from a [[sweep.zip]] table
};

/// A value for the key of every axis, in their order.
using AxisValues = std::vector<std::pair<std::string, Value>>;

/// From a [[sweep.exclude]] table: cells with one of these values for each of these keys are left out.
struct Exclusion {
  std::vector<std::pair<std::string, Value::List>> any_of;  ///< keys of axes, and values that stand on them
  Source source;                                            ///< where the table's first key was written

  [[nodiscard]] bool covers(const AxisValues& values) const;
};

/// Whether a key of a configuration says what varies, and is no setting of a cell.
[[nodiscard]] bool is_of_axes(std::string_view setting);
/// Whether `setting` ("sweep.grid.seed", "sweep.zip.0.seed") puts `key` on an axis.
[[nodiscard]] bool is_axis_of(std::string_view setting, std::string_view key);

/// The axes in the order they are written, grids before zips, which is the order in which results are listed.
/// ConfigError for axes that cannot be read.
[[nodiscard]] std::vector<Axis> read_axes(const Settings& configuration);
/// The keys of all axes, in the order in which results list them.
[[nodiscard]] std::vector<std::string> axis_keys(std::span<const Axis> axes);
/// The same, of a configuration.
[[nodiscard]] std::vector<std::string> axis_keys(const Settings& configuration);

/// The cells that are left out, in the order they are written. ConfigError for a key that is on no axis and a value
/// that does not stand there; not if the command line has changed the axis, or fixed the key: then what can no longer
/// be met is dropped.
[[nodiscard]] std::vector<Exclusion> read_exclusions(const Settings& configuration, std::span<const Axis> axes);

/// As TOML writes them.
[[nodiscard]] std::string to_text(std::span<const Axis> axes, std::span<const Exclusion> exclusions);

}  // namespace fleet
