// What a configuration varies: axes, and the cells that are left out.
//
// Every key under [sweep.grid] is an axis of its own; the keys of a [[sweep.zip]] table are one together. A cell is a
// choice of a point on each axis. A [[sweep.exclude]] table names keys that are on axes, with a value or several of
// each: cells at one of these values of each key are left out.
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

/// A [[sweep.exclude]] table.
struct Exclusion {
  std::vector<std::pair<std::string, Value::List>> conditions;  ///< keys of axes, and values that stand on them
  Source source;                                                ///< where its first key is written
};

inline constexpr std::size_t kMostCells = 200'000;      ///< of a sweep, so that planning takes seconds
inline constexpr std::size_t kMostPoints = 10'000'000;  ///< of which exclusions may leave that many

/// The cells of some axes, by the index of their point: the last axis varies fastest.
class Grid {
 public:
  /// Keeps `axes`. ConfigError for more cells or points than there may be.
  Grid(std::span<const Axis> axes, std::span<const Exclusion> exclusions);

  /// Indices of the points that no exclusion covers, ascending.
  [[nodiscard]] const std::vector<std::size_t>& cells() const { return cells_; }
  [[nodiscard]] std::size_t left_out() const { return left_out_; }
  /// The place on each axis.
  [[nodiscard]] std::vector<std::size_t> point(std::size_t index) const;

 private:
  [[nodiscard]] bool is_left_out(const std::vector<std::size_t>& point) const;
  [[noreturn]] void reject_size(double count, std::string_view what, bool cells) const;

  std::span<const Axis> axes_;
  std::vector<std::vector<std::vector<bool>>> covered_;  // [exclusion][axis][point]
  std::vector<std::size_t> cells_;
  std::size_t left_out_ = 0;
};

/// Whether a key of a configuration says what varies, and is no setting of a cell.
[[nodiscard]] bool is_of_axes(std::string_view setting);
/// What "--set KEY=VALUE" does to a configuration. A fixed value takes the axis of its key away, and with it the
/// exclusions that speak of it. ConfigError if the text cannot be read.
void apply_override(std::string_view text, Settings& configuration);

/// The axes in the order they are written, grids before zips, which is the order in which results are listed.
/// ConfigError for axes that cannot be read.
[[nodiscard]] std::vector<Axis> read_axes(const Settings& configuration);
/// The keys of all axes, in the order in which results list them.
[[nodiscard]] std::vector<std::string> axis_keys(std::span<const Axis> axes);
/// The same, of a configuration.
[[nodiscard]] std::vector<std::string> axis_keys(const Settings& configuration);

/// What is left out, in the order it is written. ConfigError for a key that is on no axis, a value that does not stand
/// there, and a table that leaves out no cell; but of an axis that the command line has changed, values that are gone
/// are dropped, and so are tables that need one of them.
[[nodiscard]] std::vector<Exclusion> read_exclusions(const Settings& configuration, std::span<const Axis> axes);

/// As TOML writes them: grids, zips, exclusions.
[[nodiscard]] std::string to_text(std::span<const Axis> axes, std::span<const Exclusion> exclusions);

}  // namespace fleet
