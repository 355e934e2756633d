#include "sweep/axes.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "base/error.hpp"

namespace fleet {
namespace {

constexpr std::string_view kGrid = "sweep.grid.";
constexpr std::string_view kZip = "sweep.zip.";
constexpr std::string_view kExclude = "sweep.exclude.";

/// Of "sweep.zip.0.seed" and `tables` "sweep.zip.": "0" and "seed". Nothing where a table has no number.
std::optional<std::pair<std::string, std::string>> split_numbered(std::string_view key, std::string_view tables) {
  const std::size_t dot = key.find('.', tables.size());
  if (dot == std::string_view::npos) return {};
  const std::string_view number = key.substr(tables.size(), dot - tables.size());
  if (number.find_first_not_of("0123456789") != std::string_view::npos) return {};
  return std::pair(std::string(number), std::string(key.substr(dot + 1)));
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

void reject_repeated_points(const std::string& name, const Axis& axis) {
  for (auto point = axis.points.begin(); point != axis.points.end(); ++point) {
    if (std::find(axis.points.begin(), point, *point) == point) continue;
    reject(name, Setting{Value(Value::List(*point)), axis.sources.front()},
           cat(point->front().to_string(), " stands twice on the axis of ", joined_keys(axis)));
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

std::optional<double> number(const Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&value.data)) return *real;
  return {};
}

/// 1 is 1.0.
bool is_same(const Value& a, const Value& b) {
  return a == b || (number(a) && number(b) && *number(a) == *number(b));
}

bool contains(const Value::List& values, const Value& value) {
  return std::any_of(values.begin(), values.end(), [&](const Value& each) { return is_same(each, value); });
}

/// All values of a key that is on an axis, and where they are written.
struct KeyValues {
  Value::List values;
  Source source;
};

std::map<std::string, KeyValues, std::less<>> values_by_key(std::span<const Axis> axes) {
  std::map<std::string, KeyValues, std::less<>> by_key;
  for (const Axis& axis : axes) {
    for (std::size_t k = 0; k < axis.keys.size(); ++k) {
      KeyValues& all = by_key[axis.keys[k]];
      all.source = axis.sources[k];
      for (const std::vector<Value>& point : axis.points) {
        if (!contains(all.values, point[k])) all.values.push_back(point[k]);
      }
    }
  }
  return by_key;
}

/// A value, or several in a list; of a key whose values are lists themselves, a list of those.
Value::List excluded_values(std::string_view key, const Setting& setting, const KeyValues& axis) {
  const auto* list = std::get_if<Value::List>(&setting.value.data);
  if (list == nullptr || contains(axis.values, setting.value)) return {setting.value};
  if (list->empty()) reject(key, setting, "expected a value, or a list of values, of those on the axis");
  return *list;
}

/// Those of the excluded values that stand on the axis.
Value::List met_values(std::string_view key, const Setting& setting, const KeyValues& axis) {
  Value::List met;
  for (const Value& value : excluded_values(key, setting, axis)) {
    const auto same =
        std::find_if(axis.values.begin(), axis.values.end(), [&](const Value& each) { return is_same(each, value); });
    if (same != axis.values.end()) {
      if (!contains(met, value)) met.push_back(*same);
    } else if (!is_override(axis.source)) {
      reject(key, setting,
             cat(value.to_string(), " does not stand on the axis, which has ", Value(axis.values).to_string()));
    }
  }
  return met;
}

}  // namespace

bool Exclusion::covers(const AxisValues& values) const {
  return std::all_of(any_of.begin(), any_of.end(), [&](const auto& condition) {
    return std::any_of(values.begin(), values.end(), [&](const auto& value) {
      return value.first == condition.first && contains(condition.second, value.second);
    });
  });
}

bool is_of_axes(std::string_view setting) {
  return setting.starts_with(kGrid) || setting.starts_with(kZip) || setting.starts_with(kExclude);
}

bool is_axis_of(std::string_view setting, std::string_view key) {
  if (setting.starts_with(kGrid)) return setting.substr(kGrid.size()) == key;
  if (!setting.starts_with(kZip)) return false;
  const auto split = split_numbered(setting, kZip);
  return split && split->second == key;
}

std::vector<Axis> read_axes(const Settings& configuration) {
  std::map<std::string, Axis> by_name;  // a grid key is an axis of its own, a zip table is one together
  for (const auto& [key, setting] : configuration) {
    const bool grid = key.starts_with(kGrid);
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
  struct Table {
    Exclusion exclusion;
    bool can_be_met = true;
  };
  std::map<std::size_t, Table> tables;
  for (const auto& [name, setting] : configuration) {
    if (!name.starts_with(kExclude)) continue;
    const auto split = split_numbered(name, kExclude);
    if (!split) reject(name, setting, "what is left out stands in a table of its own, headed [[sweep.exclude]]");
    const std::string& key = split->second;
    Table& table = tables[std::stoul(split->first)];
    if (table.exclusion.any_of.empty()) table.exclusion.source = setting.source;
    const auto axis = known.find(key);
    const auto fixed = configuration.find(key);
    if (axis != known.end()) {
      Value::List met = met_values(name, setting, axis->second);
      table.can_be_met = table.can_be_met && !met.empty();
      table.exclusion.any_of.emplace_back(key, std::move(met));
    } else if (fixed != configuration.end() && is_override(fixed->second.source)) {
      const KeyValues now{{fixed->second.value}, fixed->second.source};
      table.can_be_met = table.can_be_met && !met_values(name, setting, now).empty();
    } else {
      std::vector<std::string> names;
      for (const auto& [each, values] : known) names.push_back(each);
      const std::optional<std::string> meant = nearest(key, names);
      reject(name, setting,
             cat("cells are left out by where they are on the axes, and this is none",
                 meant ? cat("; did you mean ", *meant, "?") : ""));
    }
  }
  std::vector<Exclusion> exclusions;
  for (auto& [index, table] : tables) {
    if (table.can_be_met) exclusions.push_back(std::move(table.exclusion));
  }
  return exclusions;
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
    for (const auto& [key, values] : exclusion.any_of) tables += cat(key, " = ", Value(values).to_string(), '\n');
  }
  return grids + tables;
}

}  // namespace fleet
