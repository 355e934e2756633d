// Reads the keys of a family's file, and knows which there are. Every complaint is a ConfigError that names the file,
// and the line, key and value where there are any.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "tools/family.hpp"

namespace fleet::tools {

class FamilyReader {
 public:
  /// Both must outlive it.
  FamilyReader(const Settings& settings, std::string_view file) : settings_(settings), file_(file) {}

  /// Whether a key that may be there is.
  [[nodiscard]] bool has(const std::string& key) {
    known_.try_emplace(key);
    return settings_.contains(key);
  }
  /// That of some keys which is there. ConfigError unless it is one.
  [[nodiscard]] std::string one_of(const std::string& table, std::initializer_list<std::string_view> names) const;
  [[nodiscard]] bool has_below(const std::string& prefix) const;
  /// The next words of the keys that begin with "prefix.".
  [[nodiscard]] std::vector<std::string> below(const std::string& prefix) const;
  /// How many tables an array of tables has: one at least.
  [[nodiscard]] int count(const std::string& prefix) const;

  /// Of a key that is there.
  [[noreturn]] void complain(const std::string& key, std::string_view why) const;
  /// The same without its value, which has many lines.
  [[noreturn]] void complain_of_text(const std::string& key, std::string_view why) const;
  [[noreturn]] void complain_of_file(std::string_view why) const;

  std::string text(const std::string& key);
  double number(const std::string& key);
  double number(const std::string& key, double otherwise) { return has(key) ? number(key) : otherwise; }
  int integer(const std::string& key, int low, int high);
  int integer(const std::string& key, int low, int high, int otherwise) {
    return has(key) ? integer(key, low, high) : otherwise;
  }
  /// [lowest, highest].
  Interval interval(const std::string& key);
  Vec3 vector(const std::string& key);
  PointFormula point(const std::string& key);
  std::vector<std::string> formulas(const std::string& key);
  std::vector<std::string> texts(const std::string& key, std::string_view expected);
  std::variant<double, std::string> number_or_text(const std::string& key);
  /// A list of anything.
  const Value::List& list(const std::string& key, std::string_view expected);
  [[nodiscard]] int integer_of(const std::string& key, const Value& value, int low, int high,
                               std::string_view expected) const;

  /// The place of a name in a list of what there is.
  template <class List>
  [[nodiscard]] int index_of(const std::string& key, const std::string& name, const List& names,
                             std::string_view what) const {
    const auto found = std::ranges::find(names, name);
    if (found != std::ranges::end(names)) return static_cast<int>(found - std::ranges::begin(names));
    std::string known;
    for (const auto& each : names) known += cat(known.empty() ? "" : ", ", each);
    complain(key, cat("there is no ", what, " ", name, "; there are ", known));
  }

  void reject_others() const { reject_unknown_keys(settings_, known_); }

 private:
  const Value& value(const std::string& key, std::string_view expected);
  const Value::List& list(const std::string& key, std::size_t length, std::string_view expected);
  [[nodiscard]] double number_of(const std::string& key, const Value& value, std::string_view expected) const;
  [[nodiscard]] std::string formula_of(const std::string& key, const Value& value, std::string_view expected) const;
  /// Keys with a word that no family's file has.
  [[nodiscard]] std::vector<std::string> misspelt() const;
  [[noreturn]] void complain_of_type(const std::string& key, const Value& value, std::string_view expected) const;

  const Settings& settings_;
  std::string file_;
  Settings known_;
};

}  // namespace fleet::tools
