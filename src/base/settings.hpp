// Configuration as data: dotted keys, values and where each was written, whatever the file format.
//
// `Settings` holds what the user wrote. `SettingsReader` turns it into plain option structs: every read
// names a key, the field (whose present value is the default), the values allowed and what the key means, and the
// reader remembers what each key resolved to: that is the canonical configuration, and the list of keys that exist, by
// which a misspelt one is named and corrected. Nothing past the option structs sees a key.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"

namespace fleet {

/// Where a setting was written; line 0 for the command line.
struct Source {
  std::string file;
  int line = 0;
  int column = 0;
  [[nodiscard]] std::string to_string() const;  ///< "file:line:column", or the option
};

/// A scalar, or a list of values.
class Value {
 public:
  using List = std::vector<Value>;
  using Data = std::variant<bool, std::int64_t, double, std::string, List>;
  Value() = default;
  template <class T>
  requires(std::is_constructible_v<Data, T&&> && !std::is_same_v<std::remove_cvref_t<T>, Value>) Value(T&& value)
      : data(std::forward<T>(value)) {}  // NOLINT: a value is what it holds

  /// As TOML writes it. Doubles take the fewest digits that read back as the same number.
  [[nodiscard]] std::string to_string() const;
  /// "an integer", "a list" ...
  [[nodiscard]] std::string_view type_name() const;
  bool operator==(const Value&) const = default;

  Data data;
};

/// What a key means, for who sets it: one sentence, in the code. That it is one, the compiler checks.
class Sentence {
 public:
  template <std::size_t N>
  consteval Sentence(const char (&text)[N]) : text_(text, N - 1) {  // NOLINT: the text is the sentence
    if (N < 12 || text[N - 2] != '.') throw "a sentence says something, and ends with a full stop";
  }
  [[nodiscard]] constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

struct Setting {
  Value value;
  Source source;
  std::string_view about = {};  ///< what its key means, once it has been read
};

/// Dotted key -> setting, in the order of keys.
using Settings = std::map<std::string, Setting, std::less<>>;

/// One "key = value" line per setting.
[[nodiscard]] std::string to_text(const Settings& settings);

/// What a number may be. Ends are included unless said otherwise.
struct Range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;
  [[nodiscard]] bool contains(double value) const;
  [[nodiscard]] std::string to_string() const;
  bool operator==(const Range&) const = default;
};
[[nodiscard]] constexpr Range at_least(double low) {
  return {.low = low};
}
[[nodiscard]] constexpr Range above(double low) {
  return {.low = low, .open_low = true};
}
[[nodiscard]] constexpr Range between(double low, double high) {
  return {.low = low, .high = high};
}

/// A matrix as it is written: rows of equal length.
using Rows = std::vector<std::vector<double>>;

/// Names of an enumeration, in the order they are offered to the user.
template <class Enum>
using Names = std::span<const std::pair<std::string_view, Enum>>;

/// Of keys: why they are of no use.
using Reasons = std::map<std::string, std::string, std::less<>>;

/// What a reader asks of a key.
struct KeyNote {
  std::string_view type;             ///< "integer", "list of numbers" ...
  Range range;                       ///< of numbers
  std::vector<std::string> choices;  ///< where there are no other values
  Value standard;                    ///< the default
  std::string_view about;
  bool operator==(const KeyNote&) const = default;
};
using KeyNotes = std::map<std::string, KeyNote, std::less<>>;

class SettingsReader {
 public:
  /// With `notes`, to which every key that is read is added.
  explicit SettingsReader(const Settings& settings, KeyNotes* notes = nullptr) : settings_(&settings), notes_(notes) {}

  /// Each overwrites `field` when the key is set, and throws ConfigError when its type or value is not allowed. The
  /// value of `field` beforehand is the default; `about` tells users what the key means.
  void read(std::string_view key, bool& field, Sentence about);
  void read(std::string_view key, std::int64_t& field, Range range, Sentence about);
  void read(std::string_view key, int& field, Range range, Sentence about);
  void read(std::string_view key, std::uint64_t& field, Sentence about);
  void read(std::string_view key, double& field, Range range, Sentence about);
  void read(std::string_view key, std::string& field, Sentence about);
  void read(std::string_view key, std::string& field, std::span<const std::string_view> choices, Sentence about);
  void read(std::string_view key, std::vector<int>& field, Range range, Sentence about);
  void read(std::string_view key, std::vector<double>& field, Range range, Sentence about);
  /// A number stands for one row of one, a list of numbers for one row; [] is empty.
  void read(std::string_view key, Rows& field, Sentence about);
  void read(std::string_view key, std::vector<std::string>& field, Sentence about);
  /// At least one, each one of `choices`.
  void read(std::string_view key, std::vector<std::string>& field, std::span<const std::string_view> choices,
            Sentence about);
  template <class Enum>
  void read(std::string_view key, Enum& field, Names<Enum> names, Sentence about);

  /// What to tell who has set `key` where nothing reads it: why it is of no use there.
  void rule_out(std::string_view key, std::string_view why) { ruled_out_.emplace(key, why); }

  /// What is written in `table`, by names without it: "b.c" for "a.b.c" in table "a".
  [[nodiscard]] Settings table(std::string_view table) const;
  /// Takes a key for read that was found by table(), or that somebody else has read.
  void keep(std::string_view key, Value value);

  /// Every key read so far with its value, defaults included.
  [[nodiscard]] const Settings& resolved() const { return resolved_; }
  [[nodiscard]] const Reasons& ruled_out() const { return ruled_out_; }

 private:
  struct Asked {
    std::string_view key;
    Sentence about;
    const Setting* written;  // or null
  };
  /// The key, and what is written for it, if anything; for the notes also what `field` and the rest say of it.
  template <class Field>
  [[nodiscard]] Asked ask(std::string_view key, Sentence about, std::string_view type, const Field& field,
                          Range range = {}, std::span<const std::string_view> choices = {});
  /// What is written, with what its key means.
  [[nodiscard]] static Setting told(const Asked& asked);
  void record(const Asked& asked, Value value);

  const Settings* settings_;
  KeyNotes* notes_;
  Settings resolved_;
  Reasons ruled_out_;
};

/// The candidate nearest in edit distance, if near enough to be a slip of the fingers.
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// "a, b or c".
[[nodiscard]] std::string alternatives(std::span<const std::string> items);

/// Where a key is read that is not read here, in words; empty where it is read nowhere.
using ReadElsewhere = std::function<std::string(std::string_view key)>;

/// Throws ConfigError for the first key written that is not known, with the reason if there is one why it is of no use,
/// or with where it is of use, else with the known key that was probably meant.
void reject_unknown_keys(const Settings& written, const Settings& known, const Reasons& ruled_out = {},
                         const ReadElsewhere& elsewhere = {});

/// ConfigError "file:line:column: key = value: complaint", and what the key means.
[[noreturn]] void reject(std::string_view key, const Setting& setting, std::string_view complaint);

template <class Enum>
void SettingsReader::read(std::string_view key, Enum& field, Names<Enum> names, Sentence about) {
  std::vector<std::string_view> choices;
  std::string chosen;
  for (const auto& [name, value] : names) {
    choices.push_back(name);
    if (value == field) chosen = name;
  }
  read(key, chosen, choices, about);
  for (const auto& [name, value] : names) {
    if (name == chosen) field = value;
  }
}

}  // namespace fleet
