#include "sweep/axes.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <tuple>

#include "base/error.hpp"
#include "io/toml.hpp"

namespace fleet {
namespace {

constexpr std::string_view kGrid = "sweep.grid.";
constexpr std::string_view kZip = "sweep.zip.";
constexpr std::string_view kExclude = "sweep.exclude.";

/// Of "sweep.zip.0.seed" and `tables` "sweep.zip.": 0 and "seed". Nothing where a table has no number.
std::optional<std::pair<int, std::string>> split_numbered(std::string_view key, std::string_view tables) {
  int number = 0;
  const char* const end = key.data() + key.size();
  const auto [dot, error] = std::from_chars(key.data() + tables.size(), end, number);
  if (error != std::errc{} || dot == end || *dot != '.') return {};
  if (key.substr(tables.size(), static_cast<std::size_t>(dot - key.data()) - tables.size()) != cat(number)) return {};
  return std::pair(number, std::string(dot + 1, end));
}

/// Where a setting stands that the command line has given.
bool is_override(const Source& source) {
  return source.line == 0;
}

const Value::List& axis_values(std::string_view key, const Setting& setting) {
  const auto* list = std::get_if<Value::List>(&setting.value.data);
  if (list == nullptr || list->empty()) {
    reject(key, setting, "an axis takes a list of values, say [0.1, 1.0]");
  }
  return *list;
}

std::string joined_keys(const Axis& axis) {
  std::string text;
  for (const std::string& key : axis.keys) text += (text.empty() ? "" : " and ") + key;
  return text;
}

/// Text that two values share only if they are equal: 1 is 1.0 and -0.0 is 0.0, in lists as well.
std::string canonical_text(const Value& value) {
  if (const auto* real = std::get_if<double>(&value.data); real != nullptr && std::trunc(*real) == *real) {
    constexpr double kWhole = 9'007'199'254'740'992.0;  // 2^53: up to here reals and integers are told apart alike
    if (std::abs(*real) <= kWhole) return std::to_string(static_cast<std::int64_t>(*real));
  }
  const auto* list = std::get_if<Value::List>(&value.data);
  if (list == nullptr) return value.to_string();
  std::string text = "[";
  for (const Value& item : *list) text += canonical_text(item) + ',';
  return text + ']';
}

void reject_repeated_points(const std::string& name, const Axis& axis) {
  std::set<std::string> known;
  for (const std::vector<Value>& point : axis.points) {
    std::string text;  // of 1 and 1.0 the complaint is another: see reject_twin()
    for (const Value& value : point) text += (value == Value(0.0) ? Value(0.0) : value).to_string() + ',';
    if (known.insert(text).second) continue;
    reject(name, Setting{Value(Value::List(point)), axis.sources.front()},
           cat(point.front().to_string(), " stands twice on the axis of ", joined_keys(axis)));
  }
}

void reject_impossible_keys(std::span<const Axis> axes) {
  std::set<std::string_view> varied;
  for (const Axis& axis : axes) {
    for (std::size_t k = 0; k < axis.keys.size(); ++k) {
      const Setting at{Value(axis.keys[k]), axis.sources[k]};
      if (!varied.insert(axis.keys[k]).second) reject("sweep", at, "this key is on two axes");
      if (axis.keys[k].starts_with("run.") || axis.keys[k] == "name") {
        reject("sweep", at, "how to run cannot be an axis, nor what the sweep is called");
      }
    }
  }
}

/// All values of a key that is on an axis, and where they are written.
struct KeyValues {
  Value::List values;
  std::map<std::string, std::size_t> places;  // of each in `values`, by its canonical text
  Source source;

  [[nodiscard]] const Value* find(const Value& value) const {
    const auto place = places.find(canonical_text(value));
    return place == places.end() ? nullptr : &values[place->second];
  }
};
using ValuesByKey = std::map<std::string, KeyValues, std::less<>>;

ValuesByKey values_by_key(std::span<const Axis> axes) {
  ValuesByKey by_key;
  for (const Axis& axis : axes) {
    for (std::size_t k = 0; k < axis.keys.size(); ++k) {
      KeyValues& all = by_key[axis.keys[k]];
      all.source = axis.sources[k];
      for (const std::vector<Value>& point : axis.points) {
        if (all.places.emplace(canonical_text(point[k]), all.values.size()).second) all.values.push_back(point[k]);
      }
    }
  }
  return by_key;
}

/// As many as a message has room for.
std::string listed(const Value::List& values) {
  constexpr std::ptrdiff_t kMost = 20;
  const std::ptrdiff_t shown = std::min(kMost, std::ssize(values));
  return Value(Value::List(values.begin(), values.begin() + shown)).to_string() +
         (shown < std::ssize(values) ? cat(" and ", std::ssize(values) - shown, " more") : "");
}

/// A value, or several in a list; of a key whose values are lists themselves, a list of those.
Value::List excluded_values(std::string_view key, const Setting& setting, const KeyValues& axis) {
  const auto* list = std::get_if<Value::List>(&setting.value.data);
  if (list == nullptr || axis.find(setting.value) != nullptr) return {setting.value};
  if (list->empty()) reject(key, setting, "expected a value, or a list of values, of those on the axis");
  return *list;
}

/// Those of the excluded values that stand on the axis.
Value::List met_values(std::string_view key, const Setting& setting, const KeyValues& axis) {
  Value::List met;
  std::set<const Value*> known;
  for (const Value& value : excluded_values(key, setting, axis)) {
    if (const Value* same = axis.find(value)) {
      if (known.insert(same).second) met.push_back(*same);
    } else if (!is_override(axis.source)) {
      reject(key, setting, cat(value.to_string(), " does not stand on the axis, which has ", listed(axis.values)));
    }
  }
  return met;
}

/// Which points of the axis have what the exclusion says of its keys.
std::vector<bool> points_of(const Exclusion& exclusion, const Axis& axis) {
  std::vector<bool> covered(axis.points.size(), true);
  for (const auto& [key, values] : exclusion.conditions) {
    const auto place = std::find(axis.keys.begin(), axis.keys.end(), key) - axis.keys.begin();
    if (place == std::ssize(axis.keys)) continue;
    std::set<std::string> texts;
    for (const Value& value : values) texts.insert(canonical_text(value));
    for (std::size_t p = 0; p < covered.size(); ++p) {
      covered[p] = covered[p] && texts.contains(canonical_text(axis.points[p][static_cast<std::size_t>(place)]));
    }
  }
  return covered;
}

/// Whether any cell is left out. ConfigError if none is, unless the command line has changed the axis that lacks one.
bool can_be_met(const Exclusion& exclusion, std::span<const Axis> axes) {
  for (const Axis& axis : axes) {
    const std::vector<bool> covered = points_of(exclusion, axis);
    if (std::find(covered.begin(), covered.end(), true) != covered.end()) continue;
    if (std::any_of(axis.sources.begin(), axis.sources.end(), is_override)) return false;
    throw ConfigError(cat(exclusion.source.to_string(),
                          ": this [[sweep.exclude]] leaves out no cell: there is no point of ", joined_keys(axis),
                          " with all of its values"));
  }
  return true;
}

[[noreturn]] void reject_absent_axis(std::string_view name, const Setting& setting, const std::string& key,
                                     const ValuesByKey& known) {
  std::vector<std::string> keys;
  for (const auto& [each, values] : known) keys.push_back(each);
  const std::optional<std::string> meant = nearest(key, keys);
  reject(name, setting,
         cat("no axis has this key, and only by axes are cells left out",
             meant ? cat("; did you mean ", *meant, "?") : ""));
}

}  // namespace

bool is_of_axes(std::string_view setting) {
  return setting.starts_with(kGrid) || setting.starts_with(kZip) || setting.starts_with(kExclude);
}

void apply_override(std::string_view text, Settings& configuration) {
  auto [key, setting] = parse_override(text);
  const auto table_of_key = [&key = key](std::string_view name, std::string_view tables) {
    const auto split = name.starts_with(tables) ? split_numbered(name, tables) : std::nullopt;
    return split && split->second == key ? std::optional(split->first) : std::nullopt;
  };
  std::vector<std::string> exclusions;
  for (const auto& [name, ignored] : configuration) {
    if (const auto number = table_of_key(name, kExclude)) exclusions.push_back(cat(kExclude, *number, '.'));
  }
  std::erase_if(configuration, [&, axis = cat(kGrid, key)](const auto& item) {
    const std::string& name = item.first;
    return name == axis || table_of_key(name, kZip) ||
           std::any_of(exclusions.begin(), exclusions.end(),
                       [&](const auto& table) { return name.starts_with(table); });
  });
  configuration.insert_or_assign(key, std::move(setting));
}

std::vector<Axis> read_axes(const Settings& configuration) {
  std::map<std::string, Axis> by_name;  // a grid key is an axis of its own, a zip table is one together
  for (const auto& [key, setting] : configuration) {
    const bool grid = key.starts_with(kGrid);
    if (grid && split_numbered(key, kGrid)) {
      reject(
          key, setting,
          "[sweep.grid] is one table, in single brackets: every key in it is an axis of its own. Tables of keys that "
          "advance together are headed [[sweep.zip]]");
    }
    if (!grid && !key.starts_with(kZip)) continue;
    const auto zip = grid ? std::nullopt : split_numbered(key, kZip);
    if (!grid && !zip) {
      reject(key, setting, "keys that advance together stand in a table of their own, headed [[sweep.zip]]");
    }
    Axis& axis = by_name[grid ? key : cat(kZip, zip->first)];
    const Value::List& values = axis_values(key, setting);
    axis.zipped = !grid;
    if (axis.keys.empty()) axis.points.resize(values.size());
    if (axis.points.size() != values.size()) {
      reject(key, setting,
             cat("zipped keys advance together: expected ", axis.points.size(), " values, as for ", axis.keys.front()));
    }
    axis.keys.push_back(grid ? key.substr(kGrid.size()) : zip->second);
    axis.sources.push_back(setting.source);
    for (std::size_t i = 0; i < values.size(); ++i) axis.points[i].push_back(values[i]);
  }
  std::vector<Axis> axes;
  for (auto& [name, axis] : by_name) {
    reject_repeated_points(name, axis);
    axes.push_back(std::move(axis));
  }
  std::stable_sort(axes.begin(), axes.end(), [](const Axis& a, const Axis& b) {
    return std::tuple(a.zipped, a.sources[0].line, a.sources[0].column) <
           std::tuple(b.zipped, b.sources[0].line, b.sources[0].column);
  });
  reject_impossible_keys(axes);
  return axes;
}

std::vector<std::string> axis_keys(std::span<const Axis> axes) {
  std::vector<std::string> keys;
  for (const Axis& axis : axes) keys.insert(keys.end(), axis.keys.begin(), axis.keys.end());
  return keys;
}

std::vector<std::string> axis_keys(const Settings& configuration) {
  return axis_keys(read_axes(configuration));
}

std::vector<Exclusion> read_exclusions(const Settings& configuration, std::span<const Axis> axes) {
  const auto known = values_by_key(axes);
  std::map<int, Exclusion> tables;
  for (const auto& [name, setting] : configuration) {
    if (!name.starts_with(kExclude)) continue;
    const auto split = split_numbered(name, kExclude);
    if (!split) reject(name, setting, "what is left out stands in a table of its own, headed [[sweep.exclude]]");
    const auto& [index, key] = *split;
    const auto axis = known.find(key);
    if (axis == known.end()) reject_absent_axis(name, setting, key, known);
    Exclusion& exclusion = tables[index];
    const bool first = exclusion.conditions.empty() || setting.source.line < exclusion.source.line;
    if (first) exclusion.source = setting.source;
    exclusion.conditions.emplace_back(key, met_values(name, setting, axis->second));
  }
  std::vector<Exclusion> exclusions;
  for (auto& [index, exclusion] : tables) {
    if (can_be_met(exclusion, axes)) exclusions.push_back(std::move(exclusion));
  }
  return exclusions;
}

Grid::Grid(std::span<const Axis> axes, std::span<const Exclusion> exclusions) : axes_(axes) {
  double points = 1.0;  // which no number of axes overflows
  for (const Axis& axis : axes) points *= static_cast<double>(axis.points.size());
  if (points > (exclusions.empty() ? kMostCells : kMostPoints))
    reject_size(points, "the axes have", exclusions.empty());
  for (const Exclusion& exclusion : exclusions) {
    std::vector<std::vector<bool>>& covered = covered_.emplace_back();
    for (const Axis& axis : axes) covered.push_back(points_of(exclusion, axis));
  }
  for (std::size_t index = 0; index < static_cast<std::size_t>(points); ++index) {
    if (is_left_out(point(index))) {
      ++left_out_;
    } else {
      cells_.push_back(index);
    }
  }
  if (cells_.size() > kMostCells)
    reject_size(static_cast<double>(cells_.size()), "what is not left out comes to", true);
}

std::vector<std::size_t> Grid::point(std::size_t index) const {
  std::vector<std::size_t> point(axes_.size());
  for (std::size_t a = axes_.size(); a-- > 0;) {
    point[a] = index % axes_[a].points.size();
    index /= axes_[a].points.size();
  }
  return point;
}

bool Grid::is_left_out(const std::vector<std::size_t>& point) const {
  return std::any_of(covered_.begin(), covered_.end(), [&](const std::vector<std::vector<bool>>& covered) {
    for (std::size_t a = 0; a < point.size(); ++a) {
      if (!covered[a][point[a]]) return false;
    }
    return true;
  });
}

void Grid::reject_size(double count, std::string_view what, bool cells) const {
  std::ostringstream number;
  number << std::setprecision(count < 1e15 ? 15 : 3) << count;
  throw ConfigError(cat(axes_.front().sources.front().to_string(), ": ", what, ' ', number.str(),
                        cells ? " cells; a sweep has at most " : " points, from which cells are left out; they may be ",
                        cells ? kMostCells : kMostPoints));
}

std::string to_text(std::span<const Axis> axes, std::span<const Exclusion> exclusions) {
  std::string grids;
  std::string tables;
  for (const Axis& axis : axes) {
    if (axis.zipped) tables += "[[sweep.zip]]\n";
    for (std::size_t k = 0; k < axis.keys.size(); ++k) {
      Value::List list;
      for (const std::vector<Value>& point : axis.points) list.push_back(point[k]);
      (axis.zipped ? tables : grids) +=
          cat(axis.zipped ? "" : kGrid, axis.keys[k], " = ", Value(list).to_string(), '\n');
    }
  }
  for (const Exclusion& exclusion : exclusions) {
    tables += "[[sweep.exclude]]\n";
    for (const auto& [key, values] : exclusion.conditions) tables += cat(key, " = ", Value(values).to_string(), '\n');
  }
  return grids + tables;
}

}  // namespace fleet
