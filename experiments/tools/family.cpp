#include "tools/family.hpp"

#include <algorithm>
#include <set>

#include "base/error.hpp"
#include "io/toml.hpp"

namespace fleet::tools {
namespace {

constexpr std::array<std::string_view, kToolKeypoints> kToolKeypointNames = {"head", "tail", "side"};

/// Reads keys of a file, and knows which there are.
class FamilyReader {
 public:
  FamilyReader(const Settings& settings, std::string_view file) : settings_(settings), file_(file) {}

  [[nodiscard]] bool has(const std::string& key) const { return settings_.contains(key); }
  [[nodiscard]] bool has_below(const std::string& prefix) const {
    const auto next = settings_.lower_bound(prefix + ".");
    return next != settings_.end() && next->first.starts_with(prefix + ".");
  }
  /// The next words of the keys that begin with "prefix.".
  [[nodiscard]] std::vector<std::string> below(const std::string& prefix) const {
    std::set<std::string> words;
    for (auto at = settings_.lower_bound(prefix + "."); at != settings_.end(); ++at) {
      if (!at->first.starts_with(prefix + ".")) break;
      const std::string rest = at->first.substr(prefix.size() + 1);
      words.insert(rest.substr(0, rest.find('.')));
    }
    return {words.begin(), words.end()};
  }
  /// How many tables an array of tables has.
  [[nodiscard]] int count(const std::string& prefix) const {
    int tables = 0;
    while (has_below(cat(prefix, '.', tables))) ++tables;
    return tables;
  }

  [[noreturn]] void complain(const std::string& key, std::string_view why) const {
    reject(key, settings_.find(key)->second, why);
  }

  const Value& value(const std::string& key) {
    const auto found = settings_.find(key);
    if (found == settings_.end()) throw ConfigError(cat(file_, ": there is no ", key));
    known_[key] = found->second;
    return found->second.value;
  }
  std::string text(const std::string& key) {
    const auto* text = std::get_if<std::string>(&value(key).data);
    if (text == nullptr) complain(key, "expected a text");
    return *text;
  }
  double number(const std::string& key) { return number_of(key, value(key)); }
  double number(const std::string& key, double otherwise) { return has(key) ? number(key) : otherwise; }

  /// A list of this length; of any if it is 0.
  const Value::List& list(const std::string& key, std::size_t length) {
    const auto* list = std::get_if<Value::List>(&value(key).data);
    if (list == nullptr || (length > 0 && list->size() != length)) {
      complain(key, length > 0 ? cat("expected a list of ", length) : "expected a list");
    }
    return *list;
  }
  Interval interval(const std::string& key) {
    const Value::List& ends = list(key, 2);
    const Interval interval{number_of(key, ends[0]), number_of(key, ends[1])};
    if (interval.low > interval.high) complain(key, "expected the lower end first");
    return interval;
  }
  Vec3 vector(const std::string& key) {
    const Value::List& values = list(key, 3);
    return {number_of(key, values[0]), number_of(key, values[1]), number_of(key, values[2])};
  }
  PointFormula point(const std::string& key) {
    const Value::List& values = list(key, 3);
    return {formula_of(key, values[0]), formula_of(key, values[1]), formula_of(key, values[2])};
  }
  std::vector<std::string> formulas(const std::string& key) {
    std::vector<std::string> all;
    for (const Value& each : list(key, 0)) all.push_back(formula_of(key, each));
    return all;
  }
  std::vector<std::string> texts(const std::string& key) {
    std::vector<std::string> all;
    for (const Value& each : list(key, 0)) {
      const auto* text = std::get_if<std::string>(&each.data);
      if (text == nullptr) complain(key, "expected a list of names");
      all.push_back(*text);
    }
    return all;
  }
  std::pair<int, int> pair_of_numbers(const std::string& key, const Value& value) {
    const auto* list = std::get_if<Value::List>(&value.data);
    if (list == nullptr || list->size() != 2) complain(key, "expected pairs of a tool and an object");
    return {static_cast<int>(number_of(key, (*list)[0])), static_cast<int>(number_of(key, (*list)[1]))};
  }

  double number_of(const std::string& key, const Value& value) const {
    if (const auto* real = std::get_if<double>(&value.data)) return *real;
    if (const auto* integer = std::get_if<std::int64_t>(&value.data)) return static_cast<double>(*integer);
    complain(key, "expected a number");
  }
  std::string formula_of(const std::string& key, const Value& value) const {
    if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
    return Value(number_of(key, value)).to_string();
  }
  /// The place of a name in a list of what there is.
  template <class List>
  int index_of(const std::string& key, const std::string& name, const List& names, std::string_view what) const {
    const auto found = std::ranges::find(names, name);
    if (found != std::ranges::end(names)) return static_cast<int>(found - std::ranges::begin(names));
    std::string known;
    for (const auto& each : names) known += cat(known.empty() ? "" : ", ", each);
    complain(key, cat("there is no ", what, " ", name, "; there are ", known));
  }

  void reject_others() const { reject_unknown_keys(settings_, known_); }

 private:
  const Settings& settings_;
  std::string file_;
  Settings known_;
};

/// Fields that all instances share, and those of each.
Things read_things(FamilyReader& reader, const std::string& prefix) {
  Things things{.mjcf = reader.text(prefix + ".mjcf")};
  Fields parts;
  for (const std::string& name : reader.below(prefix + ".parts")) {
    parts[name] = reader.text(cat(prefix, ".parts.", name));
  }
  const int count = reader.count(prefix + ".instances");
  for (int i = 0; i < count; ++i) {
    Fields& fields = things.instances.emplace_back(parts);
    const std::string table = cat(prefix, ".instances.", i);
    for (const std::string& name : reader.below(table)) {
      const std::string key = cat(table, '.', name);
      if (const auto* text = std::get_if<std::string>(&reader.value(key).data)) {
        fields[name] = *text;
      } else {
        fields[name] = reader.number(key);
      }
    }
  }
  if (count == 0) throw ConfigError(cat("there are no [[", prefix, ".instances]] in the family's file"));
  return things;
}

/// Names of the object's keypoints.
std::vector<std::string> keypoint_names(const Family& family) {
  std::vector<std::string> names;
  for (const ObjectKeypoint& keypoint : family.object_keypoints) names.push_back(keypoint.name);
  return names;
}

ToolKeypoint tool_keypoint(const FamilyReader& reader, const std::string& key, const std::string& name) {
  return static_cast<ToolKeypoint>(reader.index_of(key, name, kToolKeypointNames, "keypoint of a tool"));
}

/// Two names of keypoints of the object.
std::pair<int, int> object_keypoints(FamilyReader& reader, const std::string& key, const Family& family) {
  const std::vector<std::string> names = reader.texts(key);
  if (names.size() != 2) reader.complain(key, "expected two keypoints");
  const std::vector<std::string> known = keypoint_names(family);
  return {reader.index_of(key, names[0], known, "keypoint of an object"),
          reader.index_of(key, names[1], known, "keypoint of an object")};
}

Direction read_direction(FamilyReader& reader, const std::string& table, const Family& family) {
  const std::string key = table + ".with";
  Direction direction{.turned = reader.number(table + ".turned", 0)};
  const Value::List& values = reader.list(key, 0);
  if (!values.empty() && std::holds_alternative<std::string>(values[0].data)) {
    direction.keypoints = object_keypoints(reader, key, family);
  } else {
    direction.vector = reader.vector(key).normalized();
    if (!direction.vector.allFinite()) reader.complain(key, "expected a direction");
  }
  return direction;
}

Constraint read_constraint(FamilyReader& reader, const std::string& table, const Family& family) {
  Constraint constraint;
  if (reader.has(table + ".place")) {
    constraint.from = tool_keypoint(reader, table + ".place", reader.text(table + ".place"));
    const std::vector<std::string> known = keypoint_names(family);
    for (const std::string& name : reader.texts(table + ".at")) {
      constraint.at.push_back(reader.index_of(table + ".at", name, known, "keypoint of an object"));
    }
    if (constraint.at.empty()) reader.complain(table + ".at", "expected at least one keypoint");
    if (reader.has(table + ".offset")) constraint.offset = reader.vector(table + ".offset");
    if (reader.has(table + ".height")) constraint.height = reader.number(table + ".height");
    return constraint;
  }
  const std::string key = table + ".along";
  const std::vector<std::string> ends = reader.texts(key);
  if (ends.size() != 2) reader.complain(key, "expected two keypoints of the tool");
  constraint.from = tool_keypoint(reader, key, ends[0]);
  constraint.to = tool_keypoint(reader, key, ends[1]);
  if (constraint.from == constraint.to) reader.complain(key, "expected two that differ");
  constraint.with = read_direction(reader, table, family);
  constraint.kind = reader.has(table + ".cosine") ? Constraint::Kind::kAngle : Constraint::Kind::kAlong;
  constraint.cosine = reader.number(table + ".cosine", 1);
  if (!(std::abs(constraint.cosine) <= 1)) reader.complain(table + ".cosine", "expected -1 to 1");
  constraint.symmetry = static_cast<int>(reader.number(table + ".symmetry", 1));
  if (constraint.symmetry < 1) reader.complain(table + ".symmetry", "expected 1 or more");
  return constraint;
}

/// A frame, and before it as many between it and the last as its `pieces` ask for.
void read_frames(FamilyReader& reader, Motion& motion) {
  const int count = reader.count("motion.frames");
  KeyFrame last;
  for (int i = 0; i < count; ++i) {
    const std::string table = cat("motion.frames.", i);
    const KeyFrame frame{.time = reader.number(table + ".time"),
                         .forward = reader.number(table + ".forward", 0),
                         .up = reader.number(table + ".up", 0),
                         .turn = reader.number(table + ".turn", 0),
                         .tilt = reader.number(table + ".tilt", 0)};
    if (!(frame.time > last.time)) reader.complain(table + ".time", "expected a later time than the last frame's");
    const auto pieces = static_cast<int>(reader.number(table + ".pieces", 1));
    if (pieces < 1 || pieces > 100) reader.complain(table + ".pieces", "expected 1 to 100");
    for (int k = 1; k <= pieces; ++k) {
      const double share = static_cast<double>(k) / pieces;
      const auto between = [share](double from, double to) { return from + share * (to - from); };
      motion.frames.push_back({.time = between(last.time, frame.time),
                               .forward = between(last.forward, frame.forward),
                               .up = between(last.up, frame.up),
                               .turn = between(last.turn, frame.turn),
                               .tilt = between(last.tilt, frame.tilt)});
    }
    last = frame;
  }
  if (motion.frames.empty()) throw ConfigError("there are no [[motion.frames]] in the family's file");
}

Motion read_motion(FamilyReader& reader, const Family& family) {
  Motion motion{.acts_at = reader.number("motion.acts_at")};
  motion.clear_until = reader.number("motion.clear_until", motion.acts_at);
  const std::string key = "motion.forward";
  const std::vector<std::string> ends = reader.texts(key);
  if (ends.size() != 2) reader.complain(key, "expected two keypoints");
  motion.of_tool = std::ranges::find(kToolKeypointNames, ends[0]) != kToolKeypointNames.end();
  if (motion.of_tool) {
    motion.forward = {static_cast<int>(tool_keypoint(reader, key, ends[0])),
                      static_cast<int>(tool_keypoint(reader, key, ends[1]))};
  } else {
    motion.forward = object_keypoints(reader, key, family);
  }
  read_frames(reader, motion);
  return motion;
}

Success read_success(FamilyReader& reader) {
  Success success{.after = reader.number("success.after", 0)};
  if (reader.has("success.joint")) {
    success.measure = Success::Measure::kJoint;
    success.names = {reader.text("success.joint")};
  } else if (reader.has("success.rise")) {
    success.measure = Success::Measure::kRise;
    success.names = {reader.text("success.rise")};
  } else {
    success.measure = Success::Measure::kApart;
    success.names = reader.texts("success.apart");
    if (success.names.size() != 2) reader.complain("success.apart", "expected two bodies");
  }
  success.above = !reader.has("success.below");
  success.limit = reader.number(success.above ? "success.above" : "success.below");
  return success;
}

void read_tool(FamilyReader& reader, Family& family) {
  family.tools = read_things(reader, "tool");
  for (std::size_t i = 0; i < kToolKeypointNames.size(); ++i) {
    family.tool_keypoints[i] = reader.point(cat("tool.keypoints.", kToolKeypointNames[i]));
  }
  family.grip = {.about_x = reader.interval("tool.grip.about_x"),
                 .about_y = reader.interval("tool.grip.about_y"),
                 .about_z = reader.interval("tool.grip.about_z"),
                 .x = reader.interval("tool.grip.x"),
                 .z = reader.interval("tool.grip.z")};
}

void read_object(FamilyReader& reader, Family& family) {
  family.objects = read_things(reader, "object");
  if (reader.has("object.contact")) family.contact = reader.text("object.contact");
  for (const std::string& name : reader.below("object.keypoints")) {
    const std::string table = cat("object.keypoints.", name);
    family.object_keypoints.push_back({name, reader.text(table + ".body"), reader.point(table + ".at")});
  }
  if (family.object_keypoints.size() != kObjectKeypoints) {
    throw ConfigError(cat("an object has ", kObjectKeypoints, " keypoints ([object.keypoints]), this one ",
                          family.object_keypoints.size()));
  }
  family.x = reader.interval("object.place.x");
  family.y = reader.interval("object.place.y");
  family.yaw = reader.interval("object.place.yaw");
  for (const std::string& name : reader.below("object.draw")) {
    family.draws.push_back({name, reader.interval(cat("object.draw.", name))});
  }
  if (reader.has("object.fits")) family.fits = reader.formulas("object.fits");
}

Fields named_after(std::string_view prefix, const Fields& fields) {
  Fields named;
  for (const auto& [name, value] : fields) named.emplace(cat(prefix, name), value);
  return named;
}

}  // namespace

bool Family::fit(int tool, int object) const {
  Fields fields = named_after("tool.", tools.instances[static_cast<std::size_t>(tool)]);
  fields.merge(named_after("object.", objects.instances[static_cast<std::size_t>(object)]));
  for (std::size_t i = 1; i < fits.size(); ++i) {
    if (!(evaluate(fits[i - 1], fields) < evaluate(fits[i], fields))) return false;
  }
  return true;
}

bool Family::is_held_out(int tool, int object) const {
  return std::ranges::find(held_out, std::pair(tool, object)) != held_out.end();
}

int Family::symmetry() const {
  int most = 1;
  for (const Constraint& constraint : constraints) most = std::max(most, constraint.symmetry);
  return most;
}

Family parse_family(std::string_view name, std::string_view toml, std::string_view file_name) {
  const Settings settings = parse_toml(toml, file_name);
  FamilyReader reader(settings, file_name);
  Family family{.name = std::string(name), .steps = static_cast<int>(reader.number("steps"))};
  if (family.steps < 1 || family.steps > 10'000) reader.complain("steps", "expected 1 to 10000");
  read_tool(reader, family);
  read_object(reader, family);
  if (reader.has("held_out")) {
    for (const Value& pair : reader.list("held_out", 0)) {
      family.held_out.push_back(reader.pair_of_numbers("held_out", pair));
    }
  }
  const int constraints = reader.count("constraints");
  for (int i = 0; i < constraints; ++i) {
    family.constraints.push_back(read_constraint(reader, cat("constraints.", i), family));
  }
  family.motion = read_motion(reader, family);
  family.success = read_success(reader);
  reader.reject_others();
  return family;
}

Family read_family(const std::filesystem::path& file) {
  return parse_family(file.stem().string(), read_toml_text(file), file.string());
}

}  // namespace fleet::tools
