#include "base/settings.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

namespace fleet {
namespace {

std::string number_text(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  std::array<char, 32> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string in_quotes(std::string_view raw) {
  std::string text = "\"";
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : raw) {
    const auto code = static_cast<unsigned char>(c);
    if (code < 0x20U || code == 0x7fU) {
      text += "\\u00";
      text += kHex[code >> 4U];
      text += kHex[code & 0xfU];
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

/// What a message has room for, cut between characters of UTF-8.
std::string shortened(std::string text) {
  constexpr std::size_t kLongest = 200;
  if (text.size() <= kLongest) return text;
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

template <class Items, class ToText>
std::string join(const Items& items, ToText to_text) {
  std::string text;
  for (const auto& item : items) {
    if (!text.empty()) text += ", ";
    text += to_text(item);
  }
  return text;
}

/// Rejects a value of another type than `what`, with what was probably meant.
[[noreturn]] void reject_type(std::string_view key, const Setting& setting, std::string_view what) {
  std::string hint;
  const bool by_hand = setting.source.line == 0;  // on the command line
  const bool list = std::holds_alternative<Value::List>(setting.value.data);
  if (list && what.find("list") == std::string_view::npos && key != "name" && !key.starts_with("run.")) {
    hint = cat("; a cell for each of its values is asked for by ", by_hand ? "--set " : "", "sweep.grid.", key,
               by_hand ? "=[...]" : " = [...]");
  } else if (by_hand && !list && what == "a string") {
    hint = cat("; in quotes it is one: --set '", key, "=\"...\"'");
  }
  reject(key, setting, cat("expected ", what, ", got ", setting.value.type_name(), hint));
}

std::int64_t whole_number(std::string_view key, const Setting& setting, Range range) {
  const auto* value = std::get_if<std::int64_t>(&setting.value.data);
  if (value == nullptr) reject_type(key, setting, "an integer");
  if (!range.contains(static_cast<double>(*value))) {
    reject(key, setting, cat("expected an integer ", range.to_string()));
  }
  return *value;
}

double number(std::string_view key, const Setting& setting, Range range) {
  double value = 0.0;
  if (const auto* whole = std::get_if<std::int64_t>(&setting.value.data)) {
    value = static_cast<double>(*whole);
  } else if (const auto* real = std::get_if<double>(&setting.value.data)) {
    value = *real;
  } else {
    reject_type(key, setting, "a number");
  }
  if (!range.contains(value) || !std::isfinite(value)) {
    reject(key, setting, cat("expected a number ", range.to_string()));
  }
  return value;
}

/// One of a list's values, in its place.
Setting item_of(const Setting& list, const Value& item) {
  return {item, list.source, list.about};
}

std::vector<double> numbers(std::string_view key, const Setting& setting, const Value::List& list, Range range) {
  std::vector<double> values;
  for (const Value& item : list) values.push_back(number(key, item_of(setting, item), range));
  return values;
}

/// As a value: of numbers, text and lists of them.
template <class Field>
Value value_of(const Field& field) {
  if constexpr (std::is_same_v<Field, Rows>) {
    if (field.size() == 1 && field.front().size() == 1) return field.front().front();
    Value::List rows;
    for (const std::vector<double>& row : field) rows.push_back(value_of(row));
    return rows;
  } else if constexpr (std::is_same_v<Field, std::vector<int>>) {
    Value::List list;
    for (const int item : field) list.emplace_back(std::int64_t{item});
    return list;
  } else if constexpr (std::is_same_v<Field, std::vector<double>> || std::is_same_v<Field, std::vector<std::string>>) {
    return Value::List(field.begin(), field.end());
  } else {
    return field;
  }
}

void require_choice(std::string_view key, const Setting& setting, const std::string& text,
                    std::span<const std::string_view> choices) {
  if (std::find(choices.begin(), choices.end(), text) != choices.end()) return;
  const std::vector<std::string> names(choices.begin(), choices.end());
  const std::optional<std::string> meant = nearest(text, names);
  const std::string hint = meant ? cat("; did you mean \"", *meant, "\"?") : "";
  reject(key, setting, cat("expected one of ", join(names, in_quotes), hint));
}

Rows rows_of(std::string_view key, const Setting& setting) {
  const auto* list = std::get_if<Value::List>(&setting.value.data);
  if (list == nullptr) return {{number(key, setting, {})}};
  const bool nested = !list->empty() && std::holds_alternative<Value::List>(list->front().data);
  if (!nested) return list->empty() ? Rows{} : Rows{numbers(key, setting, *list, {})};
  Rows rows;
  for (const Value& row : *list) {
    const auto* items = std::get_if<Value::List>(&row.data);
    if (items == nullptr || items->empty()) reject(key, setting, "expected rows of numbers, say [[1, 0], [0, 1]]");
    rows.push_back(numbers(key, setting, *items, {}));
    if (rows.back().size() != rows.front().size()) {
      reject(key, setting,
             cat("row ", rows.size(), " has ", rows.back().size(), " numbers, row 1 has ", rows.front().size()));
    }
  }
  return rows;
}

/// What a key means, on a line below a message.
std::string explained(std::string_view key, std::string_view about) {
  return about.empty() ? "" : cat("\n  ", key, ": ", about);
}

}  // namespace

std::string Source::to_string() const {
  return line > 0 ? cat(file, ':', line, ':', column) : file;
}

std::string Value::to_string() const {
  struct Writer {
    std::string operator()(bool b) const { return b ? "true" : "false"; }
    std::string operator()(std::int64_t i) const { return std::to_string(i); }
    std::string operator()(double d) const { return number_text(d); }
    std::string operator()(const std::string& s) const { return in_quotes(s); }
    std::string operator()(const List& list) const {
      return cat('[', join(list, [](const Value& item) { return item.to_string(); }), ']');
    }
  };
  return std::visit(Writer{}, data);
}

std::string_view Value::type_name() const {
  constexpr std::array<std::string_view, 5> kNames = {"a boolean", "an integer", "a number", "a string", "a list"};
  return kNames[data.index()];
}

std::string to_text(const Settings& settings) {
  std::string text;
  for (const auto& [key, setting] : settings) text += cat(key, " = ", setting.value.to_string(), '\n');
  return text;
}

bool Range::contains(double value) const {
  return (open_low ? value > low : value >= low) && value <= high;
}

std::string Range::to_string() const {
  const auto brief = [](double end) {
    if (std::trunc(end) == end && std::abs(end) < 1e15) return std::to_string(static_cast<std::int64_t>(end));
    return number_text(end);
  };
  if (std::isfinite(high))
    return cat(open_low ? "above " : "from ", brief(low), open_low ? " up to " : " to ", brief(high));
  if (std::isinf(low)) return "that is finite";
  return cat(open_low ? "above " : "of at least ", brief(low));
}

std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

void reject(std::string_view key, const Setting& setting, std::string_view complaint) {
  throw ConfigError(cat(setting.source.to_string(), ": ", shortened(std::string(key)), " = ",
                        shortened(setting.value.to_string()), ": ", complaint, explained(key, setting.about)));
}

template <class Field>
SettingsReader::Asked SettingsReader::ask(std::string_view key, Sentence about, std::string_view type,
                                          const Field& field, Range range, std::span<const std::string_view> choices) {
  const auto found = settings_->find(key);
  if (notes_ != nullptr) {
    const KeyNote asked{.type = type,
                        .range = range,
                        .choices = {choices.begin(), choices.end()},
                        .standard = value_of(field),
                        .about = about.text()};
    const KeyNote& note = notes_->try_emplace(std::string(key), asked).first->second;
    require(found != settings_->end() || note.standard == asked.standard, key,
            " has two defaults: ", note.standard.to_string(), ", where it is read first, and ",
            asked.standard.to_string());
  }
  return {.key = key, .about = about, .written = found == settings_->end() ? nullptr : &found->second};
}

Setting SettingsReader::told(const Asked& asked) {
  Setting setting = *asked.written;
  setting.about = asked.about.text();
  return setting;
}

Settings SettingsReader::table(std::string_view table) const {
  const std::string prefix = cat(table, '.');
  Settings found;
  for (auto item = settings_->lower_bound(prefix); item != settings_->end() && item->first.starts_with(prefix);
       ++item) {
    found.emplace(item->first.substr(prefix.size()), item->second);
  }
  return found;
}

void SettingsReader::keep(std::string_view key, Value value) {
  const auto written = settings_->find(key);
  const Source source = written != settings_->end() ? written->second.source : Source{"default"};
  resolved_.insert_or_assign(std::string(key), Setting{std::move(value), source});
}

void SettingsReader::record(const Asked& asked, Value value) {
  resolved_.insert_or_assign(
      std::string(asked.key),
      Setting{std::move(value), asked.written ? asked.written->source : Source{"default"}, asked.about.text()});
}

void SettingsReader::read(std::string_view key, bool& field, Sentence about) {
  const Asked asked = ask(key, about, "true or false", field);
  if (asked.written != nullptr) {
    const auto* value = std::get_if<bool>(&asked.written->value.data);
    if (value == nullptr) reject_type(key, told(asked), "true or false");
    field = *value;
  }
  record(asked, field);
}

void SettingsReader::read(std::string_view key, std::int64_t& field, Range range, Sentence about) {
  const Asked asked = ask(key, about, "integer", field, range);
  if (asked.written != nullptr) field = whole_number(key, told(asked), range);
  record(asked, field);
}

void SettingsReader::read(std::string_view key, int& field, Range range, Sentence about) {
  std::int64_t wide = field;
  read(key, wide, range, about);
  constexpr std::int64_t kLargest = std::numeric_limits<int>::max();
  if (wide > kLargest || wide < -kLargest) {
    reject(key, resolved_.find(key)->second, cat("expected at most ", kLargest));
  }
  field = static_cast<int>(wide);
}

void SettingsReader::read(std::string_view key, std::uint64_t& field, Sentence about) {
  auto wide = static_cast<std::int64_t>(field);
  read(key, wide, at_least(0), about);
  field = static_cast<std::uint64_t>(wide);
}

void SettingsReader::read(std::string_view key, double& field, Range range, Sentence about) {
  const Asked asked = ask(key, about, "number", field, range);
  if (asked.written != nullptr) field = number(key, told(asked), range);
  record(asked, field);
}

void SettingsReader::read(std::string_view key, std::vector<double>& field, Range range, Sentence about) {
  const Asked asked = ask(key, about, "list of numbers", field, range);
  if (asked.written != nullptr) {
    const Setting setting = told(asked);
    const auto* list = std::get_if<Value::List>(&setting.value.data);
    if (list == nullptr) reject_type(key, setting, "a list of numbers");
    field = numbers(key, setting, *list, range);
  }
  record(asked, value_of(field));
}

void SettingsReader::read(std::string_view key, Rows& field, Sentence about) {
  const Asked asked = ask(key, about, "matrix", field);
  if (asked.written != nullptr) field = rows_of(key, told(asked));
  record(asked, value_of(field));
}

void SettingsReader::read(std::string_view key, std::string& field, Sentence about) {
  const Asked asked = ask(key, about, "text", field);
  if (asked.written != nullptr) {
    const auto* value = std::get_if<std::string>(&asked.written->value.data);
    if (value == nullptr) reject_type(key, told(asked), "a string");
    field = *value;
  }
  record(asked, field);
}

void SettingsReader::read(std::string_view key, std::string& field, std::span<const std::string_view> choices,
                          Sentence about) {
  (void)ask(key, about, "name", field, {}, choices);  // for the notes, before it is a text
  read(key, field, about);
  require_choice(key, resolved_.find(key)->second, field, choices);
}

void SettingsReader::read(std::string_view key, std::vector<std::string>& field, Sentence about) {
  const Asked asked = ask(key, about, "list of texts", field);
  if (asked.written != nullptr) {
    const Setting setting = told(asked);
    const auto* list = std::get_if<Value::List>(&setting.value.data);
    if (list == nullptr) reject_type(key, setting, "a list of strings");
    field.clear();
    for (const Value& item : *list) {
      const auto* text = std::get_if<std::string>(&item.data);
      if (text == nullptr) reject(key, setting, cat("expected a list of strings, got ", item.type_name(), " in it"));
      field.push_back(*text);
    }
  }
  record(asked, value_of(field));
}

void SettingsReader::read(std::string_view key, std::vector<std::string>& field,
                          std::span<const std::string_view> choices, Sentence about) {
  const Asked asked = ask(key, about, "list of names", field, {}, choices);
  if (asked.written != nullptr) {
    const Setting setting = told(asked);
    const auto* list = std::get_if<Value::List>(&setting.value.data);
    if (list == nullptr || list->empty()) {
      reject(key, setting, cat("expected a list of strings, got ", list ? "an empty one" : setting.value.type_name()));
    }
    field.clear();
    for (const Value& item : *list) {
      const auto* text = std::get_if<std::string>(&item.data);
      if (text == nullptr) reject(key, setting, cat("expected a list of strings, got ", item.type_name(), " in it"));
      require_choice(key, item_of(setting, item), *text, choices);
      field.push_back(*text);
    }
  }
  record(asked, value_of(field));
}

void SettingsReader::read(std::string_view key, std::vector<int>& field, Range range, Sentence about) {
  range.high = std::min(range.high, static_cast<double>(std::numeric_limits<int>::max()));
  const Asked asked = ask(key, about, "list of integers", field, range);
  if (asked.written != nullptr) {
    const Setting setting = told(asked);
    const auto* list = std::get_if<Value::List>(&setting.value.data);
    if (list == nullptr) reject_type(key, setting, "a list of integers");
    field.clear();
    for (const Value& item : *list) {
      field.push_back(static_cast<int>(whole_number(key, item_of(setting, item), range)));
    }
  }
  record(asked, value_of(field));
}

std::string alternatives(std::span<const std::string> items) {
  std::string text;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (i > 0) text += i + 1 == items.size() ? " or " : ", ";
    text += items[i];
  }
  return text;
}

void reject_unknown_keys(const Settings& written, const Settings& known, const Reasons& ruled_out,
                         const ReadElsewhere& elsewhere) {
  const auto leaf = [](std::string_view key) { return key.substr(key.rfind('.') + 1); };
  std::vector<std::string> names;
  for (const auto& [key, setting] : known) names.push_back(key);
  for (const auto& [key, setting] : written) {
    if (known.contains(key)) continue;
    const auto reason = ruled_out.find(key);
    if (reason != ruled_out.end()) reject(key, setting, reason->second);
    const std::string where = elsewhere ? elsewhere(key) : "";
    if (!where.empty()) reject(key, setting, cat("nothing here reads it; it is ", where));
    std::optional<std::string> meant = nearest(key, names);
    if (!meant) {  // the right name in the wrong table is the other common slip
      std::size_t best = std::numeric_limits<std::size_t>::max();
      for (const std::string& name : names) {
        if (leaf(name) != leaf(key) || edit_distance(name, key) >= best) continue;
        best = edit_distance(name, key);
        meant = name;
      }
    }
    if (!meant) reject(key, setting, "unknown key: nothing here reads it");
    reject(key, setting,
           cat("unknown key; did you mean ", *meant, '?', explained(*meant, known.find(*meant)->second.about)));
  }
}

}  // namespace fleet
