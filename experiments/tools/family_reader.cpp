#include "tools/family_reader.hpp"

#include <array>
#include <cctype>
#include <cmath>
#include <set>
#include <sstream>

#include "base/error.hpp"

namespace fleet::tools {
namespace {

constexpr std::string_view kInterval = "[lowest, highest]";
constexpr std::string_view kVector = "three numbers, [x, y, z]";
constexpr std::string_view kPoint = "three numbers or formulas, [x, y, z]";
constexpr std::string_view kFormulas = "a list of formulas";

/// All words in keys but those that a family chooses.
constexpr auto kWords = std::to_array<std::string_view>(
    {"about_x", "about_y",  "about_z",     "above",       "acts_at",  "after",     "along", "apart",     "at",
     "below",   "body",     "clear_until", "constraints", "contact",  "cosine",    "draw",  "fits",      "forward",
     "frames",  "grip",     "head",        "height",      "held_out", "instances", "joint", "keypoints", "mjcf",
     "motion",  "object",   "offset",      "parts",       "pieces",   "place",     "rise",  "side",      "steps",
     "success", "symmetry", "tail",        "tilt",        "time",     "tool",      "turn",  "turned",    "up",
     "with",    "x",        "y",           "yaw",         "z"});

}  // namespace

bool FamilyReader::has_below(const std::string& prefix) const {
  const auto next = settings_.lower_bound(prefix + ".");
  return next != settings_.end() && next->first.starts_with(prefix + ".");
}

std::vector<std::string> FamilyReader::below(const std::string& prefix) const {
  std::set<std::string> words;
  for (auto at = settings_.lower_bound(prefix + "."); at != settings_.end(); ++at) {
    if (!at->first.starts_with(prefix + ".")) break;
    const std::string rest = at->first.substr(prefix.size() + 1);
    words.insert(rest.substr(0, rest.find('.')));
  }
  return {words.begin(), words.end()};
}

int FamilyReader::count(const std::string& prefix) const {
  int tables = 0;
  while (has_below(cat(prefix, '.', tables))) ++tables;
  if (tables > 0) return tables;
  const auto one = settings_.lower_bound(prefix + ".");  // [constraints] in place of [[constraints]]
  if (has_below(prefix)) complain(one->first, cat("expected this in a table of a list, [[", prefix, "]]"));
  complain_of_file(cat("there is no [[", prefix, "]]; expected one table at least, with a key at least"));
}

void FamilyReader::complain(const std::string& key, std::string_view why) const {
  reject(key, settings_.find(key)->second, why);
}

void FamilyReader::complain_of_text(const std::string& key, std::string_view why) const {
  throw ConfigError(cat(settings_.find(key)->second.source.to_string(), ": ", key, ": ", why));
}

void FamilyReader::complain_of_file(std::string_view why) const {
  throw ConfigError(cat(file_, ": ", why));
}

std::string FamilyReader::one_of(const std::string& table, std::initializer_list<std::string_view> names) const {
  std::string found;
  std::string all;
  int count = 0;
  for (const std::string_view name : names) {
    all += cat(all.empty() ? "" : ", ", name);
    if (!settings_.contains(cat(table, '.', name))) continue;
    found = name;
    ++count;
  }
  if (count == 0) complain_of_file(cat(table, " has none of ", all, "; expected one of them"));
  if (count > 1) complain(cat(table, '.', found), cat("expected only one of ", all));
  return found;
}

std::vector<std::string> FamilyReader::misspelt() const {
  const auto known = [](std::string_view word) {
    return std::isdigit(static_cast<unsigned char>(word.front())) != 0 ||
           std::ranges::find(kWords, word) != kWords.end();
  };
  std::vector<std::string> keys;
  for (const auto& [key, setting] : settings_) {
    std::istringstream words(key);
    for (std::string word; std::getline(words, word, '.');) {
      if (word.empty() || known(word)) continue;
      keys.push_back(key);
      break;
    }
  }
  return keys;
}

void FamilyReader::complain_of_type(const std::string& key, const Value& value, std::string_view expected) const {
  complain(key, cat("expected ", expected, ", got ", value.type_name()));
}

const Value& FamilyReader::value(const std::string& key, std::string_view expected) {
  const auto found = settings_.find(key);
  if (found == settings_.end()) {
    const std::optional<std::string> meant = nearest(key, misspelt());
    complain_of_file(
        cat("there is no ", key, "; expected ", expected,
            meant ? cat("; is it that of line ", settings_.find(*meant)->second.source.line, ", ", *meant, '?') : ""));
  }
  known_[key] = found->second;
  return found->second.value;
}

std::string FamilyReader::text(const std::string& key) {
  const Value& found = value(key, "a text");
  const auto* text = std::get_if<std::string>(&found.data);
  if (text == nullptr) complain_of_type(key, found, "a text");
  return *text;
}

double FamilyReader::number(const std::string& key) {
  return number_of(key, value(key, "a number"), "a number");
}

int FamilyReader::integer(const std::string& key, int low, int high) {
  const std::string expected = cat("an integer from ", low, " to ", high);
  return integer_of(key, value(key, expected), low, high, expected);
}

Interval FamilyReader::interval(const std::string& key) {
  const Value::List& ends = list(key, 2, kInterval);
  const Interval interval{number_of(key, ends[0], kInterval), number_of(key, ends[1], kInterval)};
  if (interval.low > interval.high) complain(key, "expected the lower end first");
  return interval;
}

Vec3 FamilyReader::vector(const std::string& key) {
  const Value::List& values = list(key, 3, kVector);
  return {number_of(key, values[0], kVector), number_of(key, values[1], kVector), number_of(key, values[2], kVector)};
}

PointFormula FamilyReader::point(const std::string& key) {
  const Value::List& values = list(key, 3, kPoint);
  return {formula_of(key, values[0], kPoint), formula_of(key, values[1], kPoint), formula_of(key, values[2], kPoint)};
}

std::vector<std::string> FamilyReader::formulas(const std::string& key) {
  std::vector<std::string> all;
  for (const Value& each : list(key, kFormulas)) all.push_back(formula_of(key, each, kFormulas));
  return all;
}

std::vector<std::string> FamilyReader::texts(const std::string& key, std::string_view expected) {
  std::vector<std::string> all;
  for (const Value& each : list(key, expected)) {
    const auto* text = std::get_if<std::string>(&each.data);
    if (text == nullptr) complain(key, cat("expected ", expected, ", got ", each.type_name(), " in it"));
    all.push_back(*text);
  }
  return all;
}

std::variant<double, std::string> FamilyReader::number_or_text(const std::string& key) {
  constexpr std::string_view kExpected = "a number or a text";
  const Value& found = value(key, kExpected);
  if (const auto* text = std::get_if<std::string>(&found.data)) return *text;
  return number_of(key, found, kExpected);
}

const Value::List& FamilyReader::list(const std::string& key, std::string_view expected) {
  const Value& found = value(key, expected);
  const auto* list = std::get_if<Value::List>(&found.data);
  if (list == nullptr) complain_of_type(key, found, expected);
  return *list;
}

const Value::List& FamilyReader::list(const std::string& key, std::size_t length, std::string_view expected) {
  const Value::List& found = list(key, expected);
  if (found.size() != length) complain(key, cat("expected ", expected));
  return found;
}

double FamilyReader::number_of(const std::string& key, const Value& value, std::string_view expected) const {
  double number = 0;
  if (const auto* real = std::get_if<double>(&value.data)) {
    number = *real;
  } else if (const auto* integer = std::get_if<std::int64_t>(&value.data)) {
    number = static_cast<double>(*integer);
  } else {
    complain_of_type(key, value, expected);
  }
  if (!std::isfinite(number)) complain(key, cat("expected ", expected, ", finite"));
  return number;
}

int FamilyReader::integer_of(const std::string& key, const Value& value, int low, int high,
                             std::string_view expected) const {
  const auto* integer = std::get_if<std::int64_t>(&value.data);
  if (integer == nullptr || *integer < low || *integer > high) complain(key, cat("expected ", expected));
  return static_cast<int>(*integer);
}

std::string FamilyReader::formula_of(const std::string& key, const Value& value, std::string_view expected) const {
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  return Value(number_of(key, value, expected)).to_string();
}

}  // namespace fleet::tools
