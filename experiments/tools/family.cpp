#include "tools/family.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "io/toml.hpp"
#include "tools/family_reader.hpp"

namespace fleet::tools {
namespace {

constexpr std::array<std::string_view, kToolKeypoints> kToolKeypointNames = {"head", "tail", "side"};
constexpr int kMostSteps = 10'000;
constexpr int kMostSymmetry = 100;
constexpr int kMostPieces = 100;
constexpr int kMostEquations = 6;

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
      if (name == "friction") reader.complain(key, "expected another name; friction is drawn for every scene");
      fields[name] = reader.number_or_text(key);
    }
  }
  return things;
}

/// Names of the object's keypoints.
std::vector<std::string> keypoint_names(const Family& family) {
  std::vector<std::string> names;
  for (const ObjectKeypoint& keypoint : family.object_keypoints) names.push_back(keypoint.name);
  return names;
}

/// Two that differ.
std::vector<std::string> two_names(FamilyReader& reader, const std::string& key, std::string_view expected) {
  std::vector<std::string> names = reader.texts(key, expected);
  if (names.size() != 2 || names[0] == names[1]) reader.complain(key, cat("expected ", expected, " that differ"));
  return names;
}

ToolKeypoint tool_keypoint(const FamilyReader& reader, const std::string& key, const std::string& name) {
  return static_cast<ToolKeypoint>(reader.index_of(key, name, kToolKeypointNames, "keypoint of a tool"));
}

/// Two names of keypoints of the object.
std::pair<int, int> object_keypoints(FamilyReader& reader, const std::string& key, const Family& family) {
  const std::vector<std::string> names = two_names(reader, key, "two keypoints of the object");
  const std::vector<std::string> known = keypoint_names(family);
  return {reader.index_of(key, names[0], known, "keypoint of an object"),
          reader.index_of(key, names[1], known, "keypoint of an object")};
}

Direction read_direction(FamilyReader& reader, const std::string& table, const Family& family) {
  const std::string key = table + ".with";
  Direction direction{.turned = reader.number(table + ".turned", 0)};
  const Value::List& values = reader.list(key, "a direction, [x, y, z], or two keypoints of the object");
  if (!values.empty() && std::holds_alternative<std::string>(values[0].data)) {
    direction.keypoints = object_keypoints(reader, key, family);
  } else {
    direction.vector = reader.vector(key);
    if (direction.vector.isZero()) reader.complain(key, "expected a direction, which has a length");
    direction.vector.normalize();
  }
  return direction;
}

Constraint read_constraint(FamilyReader& reader, const std::string& table, const Family& family) {
  Constraint constraint;
  if (reader.one_of(table, {"place", "along"}) == "place") {
    constraint.from = tool_keypoint(reader, table + ".place", reader.text(table + ".place"));
    const std::vector<std::string> known = keypoint_names(family);
    for (const std::string& name : reader.texts(table + ".at", "a list of keypoints of the object")) {
      constraint.at.push_back(reader.index_of(table + ".at", name, known, "keypoint of an object"));
    }
    if (constraint.at.empty()) reader.complain(table + ".at", "expected at least one keypoint");
    if (reader.has(table + ".offset")) constraint.offset = reader.vector(table + ".offset");
    if (reader.has(table + ".height")) constraint.height = reader.number(table + ".height");
    return constraint;
  }
  const std::string key = table + ".along";
  const std::vector<std::string> ends = two_names(reader, key, "two keypoints of the tool");
  constraint.from = tool_keypoint(reader, key, ends[0]);
  constraint.to = tool_keypoint(reader, key, ends[1]);
  constraint.with = read_direction(reader, table, family);
  constraint.kind = reader.has(table + ".cosine") ? Constraint::Kind::kAngle : Constraint::Kind::kAlong;
  constraint.cosine = reader.number(table + ".cosine", 1);
  if (!(std::abs(constraint.cosine) <= 1)) reader.complain(table + ".cosine", "expected -1 to 1");
  constraint.symmetry = reader.integer(table + ".symmetry", 1, kMostSymmetry, 1);
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
    const int pieces = reader.integer(table + ".pieces", 1, kMostPieces, 1);
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
}

Motion read_motion(FamilyReader& reader, const Family& family) {
  Motion motion{.acts_at = reader.number("motion.acts_at")};
  motion.clear_until = reader.number("motion.clear_until", motion.acts_at);
  const std::string key = "motion.forward";
  const std::vector<std::string> ends = two_names(reader, key, "two keypoints of the tool, or of the object,");
  motion.of_tool = std::ranges::find(kToolKeypointNames, ends[0]) != kToolKeypointNames.end();
  if (motion.of_tool) {
    motion.forward = {static_cast<int>(tool_keypoint(reader, key, ends[0])),
                      static_cast<int>(tool_keypoint(reader, key, ends[1]))};
  } else {
    std::vector<std::string> known = keypoint_names(family);
    known.insert(known.end(), kToolKeypointNames.begin(), kToolKeypointNames.end());
    (void)reader.index_of(key, ends[0], known, "keypoint");
    motion.forward = object_keypoints(reader, key, family);
  }
  read_frames(reader, motion);
  const double last = motion.frames.back().time;
  if (!(motion.acts_at > 0 && motion.acts_at <= last)) {
    reader.complain("motion.acts_at", cat("expected a time above 0 and up to that of the last frame, ", last));
  }
  return motion;
}

Success read_success(FamilyReader& reader) {
  Success success{.after = reader.number("success.after", 0)};
  const std::string measure = reader.one_of("success", {"joint", "rise", "apart"});
  if (measure == "joint") {
    success.measure = Success::Measure::kJoint;
    success.names = {reader.text("success.joint")};
  } else if (measure == "rise") {
    success.measure = Success::Measure::kRise;
    success.names = {reader.text("success.rise")};
  } else {
    success.measure = Success::Measure::kApart;
    success.names = two_names(reader, "success.apart", "two bodies");
  }
  success.above = reader.one_of("success", {"above", "below"}) == "above";
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
    reader.complain_of_file(
        cat("[object.keypoints] has ", family.object_keypoints.size(), " keypoints; expected ", kObjectKeypoints));
  }
  family.x = reader.interval("object.place.x");
  family.y = reader.interval("object.place.y");
  family.yaw = reader.interval("object.place.yaw");
  for (const std::string& name : reader.below("object.draw")) {
    const std::string key = cat("object.draw.", name);
    family.draws.push_back({name, reader.interval(key)});
    const bool taken = name == "friction" || std::ranges::any_of(family.objects.instances, [&](const Fields& fields) {
                         return fields.contains(name);
                       });
    if (taken) reader.complain(key, "expected another name; this one stands for something else already");
  }
  if (reader.has("object.fits")) family.fits = reader.formulas("object.fits");
}

void read_held_out(FamilyReader& reader, Family& family) {
  const std::string key = "held_out";
  const int tools = static_cast<int>(family.tools.instances.size());
  const int objects = static_cast<int>(family.objects.instances.size());
  const std::string expected =
      cat("pairs [tool, object], with tools from 0 to ", tools - 1, " and objects from 0 to ", objects - 1);
  for (const Value& each : reader.list(key, expected)) {
    const auto* pair = std::get_if<Value::List>(&each.data);
    if (pair == nullptr || pair->size() != 2) reader.complain(key, cat("expected ", expected));
    family.held_out.emplace_back(reader.integer_of(key, (*pair)[0], 0, tools - 1, expected),
                                 reader.integer_of(key, (*pair)[1], 0, objects - 1, expected));
  }
}

/// The equations of a constraint.
int equations_of(const Constraint& constraint) {
  return constraint.kind == Constraint::Kind::kPlace ? 3 : constraint.kind == Constraint::Kind::kAlong ? 2 : 1;
}

void read_constraints(FamilyReader& reader, Family& family) {
  const int count = reader.count("constraints");
  int equations = 0;
  for (int i = 0; i < count; ++i) {
    family.constraints.push_back(read_constraint(reader, cat("constraints.", i), family));
    equations += equations_of(family.constraints.back());
  }
  if (equations > kMostEquations) {
    reader.complain_of_file(cat("the constraints are ", equations, " equations (place 3, along 2, with a cosine 1); ",
                                "expected ", kMostEquations, " at most, which fix the hand's pose"));
  }
}

/// Does what evaluates the formulas of a key, for some instance; a complaint names both.
template <class Evaluate>
void attempt(const FamilyReader& reader, const std::string& key, std::string_view instance, const Evaluate& evaluate) {
  try {
    evaluate();
  } catch (const Error& error) {
    reader.complain_of_text(key, cat(error.what(), " (", instance, ')'));
  }
}

std::string texts_of(const std::vector<double>& values) {
  std::string texts;
  for (const double value : values) texts += cat(texts.empty() ? "" : ", ", value);
  return texts;
}

void try_point(const FamilyReader& reader, const std::string& key, std::string_view instance, const PointFormula& point,
               const Fields& fields) {
  attempt(reader, key, instance, [&] {
    for (const std::string& formula : point) (void)evaluate(formula, fields);
  });
}

/// Evaluates every formula for every tool and every object, so that a mistake is found when the file is read.
void try_formulas(const FamilyReader& reader, const Family& family) {
  for (std::size_t i = 0; i < family.tools.instances.size(); ++i) {
    Fields fields = family.tools.instances[i];
    fields["friction"] = 1.0;
    const std::string which = cat("tool ", i);
    attempt(reader, "tool.mjcf", which, [&] { (void)fill_in(family.tools.mjcf, fields); });
    for (std::size_t k = 0; k < kToolKeypointNames.size(); ++k) {
      try_point(reader, cat("tool.keypoints.", kToolKeypointNames[k]), which, family.tool_keypoints[k], fields);
    }
  }
  for (std::size_t i = 0; i < family.objects.instances.size(); ++i) {
    Fields fields = family.objects.instances[i];
    fields["friction"] = 1.0;
    for (const NamedInterval& draw : family.draws) fields[draw.name] = draw.interval.high;
    const std::string which = cat("object ", i);
    attempt(reader, "object.mjcf", which, [&] { (void)fill_in(family.objects.mjcf, fields); });
    if (!family.contact.empty()) {
      attempt(reader, "object.contact", which, [&] { (void)fill_in(family.contact, fields); });
    }
    for (const ObjectKeypoint& keypoint : family.object_keypoints) {
      try_point(reader, cat("object.keypoints.", keypoint.name, ".at"), which, keypoint.at, fields);
    }
  }
}

/// Every tool needs an object that it fits and that is not held out of demonstrations.
void try_fits(const FamilyReader& reader, const Family& family) {
  for (int tool = 0; tool < static_cast<int>(family.tools.instances.size()); ++tool) {
    bool fits = false;
    bool shown = false;
    std::string values;
    for (int object = 0; object < static_cast<int>(family.objects.instances.size()); ++object) {
      attempt(reader, "object.fits", cat("tool ", tool, " with object ", object), [&] {
        fits = fits || family.fit(tool, object);
        shown = shown || (family.fit(tool, object) && !family.is_held_out(tool, object));
        values += cat("\n  object ", object, ": ", texts_of(family.fit_values(tool, object)));
      });
    }
    if (!fits) {
      reader.complain("object.fits", cat("tool ", tool, " fits none of the objects, ",
                                         "with which each is to be less than the next:", values));
    }
    if (!shown) reader.complain("held_out", cat("tool ", tool, " fits none of the objects that are not held out"));
  }
}

Fields named_after(std::string_view prefix, const Fields& fields) {
  Fields named;
  for (const auto& [name, value] : fields) named.emplace(cat(prefix, name), value);
  return named;
}

}  // namespace

std::vector<double> Family::fit_values(int tool, int object) const {
  Fields fields = named_after("tool.", tools.instances[static_cast<std::size_t>(tool)]);
  fields.merge(named_after("object.", objects.instances[static_cast<std::size_t>(object)]));
  std::vector<double> values;
  for (const std::string& formula : fits) values.push_back(evaluate(formula, fields));
  return values;
}

bool Family::fit(int tool, int object) const {
  const std::vector<double> values = fit_values(tool, object);
  return std::ranges::adjacent_find(values, [](double a, double b) { return !(a < b); }) == values.end();
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
  Family family{
      .name = std::string(name), .file = std::string(file_name), .steps = reader.integer("steps", 1, kMostSteps)};
  read_tool(reader, family);
  read_object(reader, family);
  if (reader.has("held_out")) read_held_out(reader, family);
  read_constraints(reader, family);
  family.motion = read_motion(reader, family);
  family.success = read_success(reader);
  reader.reject_others();
  try_formulas(reader, family);
  try_fits(reader, family);
  return family;
}

}  // namespace fleet::tools
