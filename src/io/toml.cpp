#include "io/toml.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <iterator>

#include <toml++/toml.h>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {
namespace {

constexpr std::string_view kCommandLine = "--set";
constexpr std::size_t kLargestFile = std::size_t{8} << 20U;
constexpr int kDeepestKey = 16;  // dots in one key; toml++ walks tables within tables by recursion

/// Goes through a text before it is parsed, and knows what is a string or a comment, as far as the text is TOML: what
/// comes after a mistake the parser does not reach either.
class Scan {
 public:
  Scan(std::string_view text, std::string_view file) : text_(text), file_(file) {}

  /// ConfigError at the first key with more than kDeepestKey dots, and at a number that double precision does not have:
  /// the parser makes 0 of 1e-400.
  void check() {
    int dots = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        skip_string(c);
      } else if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        check_number();
        if (c == '.' && ++dots > kDeepestKey)
          reject_here(cat("a key of more than ", kDeepestKey + 1, " parts; nothing here reads one"));
        // A header and an inline table begin with a bracket, a value with "=", and what follows with a line or a comma.
        if (std::string_view("\n=,[{").find(c) != std::string_view::npos) dots = 0;
        ++at_;
      }
    }
  }

 private:
  void skip_string(char quote) {
    const std::string three(3, quote);
    const bool long_one = text_.substr(at_, 3) == three;
    at_ += long_one ? 3 : 1;
    while (at_ < text_.size()) {
      if (long_one ? text_.substr(at_, 3) == three : text_[at_] == quote || text_[at_] == '\n') break;
      at_ += text_[at_] == '\\' && quote == '"' ? 2 : 1;
    }
    at_ = std::min(at_ + (long_one ? 3 : 1), text_.size());
    for (int i = 0; long_one && i < 2 && at_ < text_.size() && text_[at_] == quote; ++i) ++at_;  // """a quote.""""
  }
  /// Of the word that begins here, if one does.
  void check_number() const {
    if (at_ > 0 && is_of_word(text_[at_ - 1])) return;
    std::size_t end = at_;
    while (end < text_.size() && is_of_word(text_[end])) ++end;
    std::string digits(text_.substr(at_, end - at_));
    std::erase(digits, '_');
    if (digits.starts_with('+')) digits.erase(0, 1);
    double number = 0.0;
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (read.ec != std::errc::result_out_of_range || read.ptr != digits.data() + digits.size()) return;
    reject_here(
        cat(text_.substr(at_, end - at_), " is no number of double precision: those go from 5e-324 to 1.8e308"));
  }
  static bool is_of_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("+-._").find(c) != std::string_view::npos;
  }
  [[noreturn]] void reject_here(const std::string& complaint) const {
    const std::string_view before = text_.substr(0, at_);
    throw ConfigError(cat(file_, ':', 1 + std::count(before.begin(), before.end(), '\n'), ':',
                          at_ - (before.rfind('\n') + 1) + 1, ": ", complaint));  // rfind: npos + 1 = 0
  }

  std::string_view text_;
  std::string_view file_;
  std::size_t at_ = 0;
};

Source source_of(const toml::node& node, std::string_view file) {
  if (file == kCommandLine) return {std::string(file)};
  const toml::source_position begin = node.source().begin;
  return {std::string(file), static_cast<int>(begin.line), static_cast<int>(begin.column)};
}

bool is_time(const toml::node& node) {
  return node.is_date() || node.is_time() || node.is_date_time();
}

Value value_of(const toml::node& node, std::string_view file, std::string_view key) {
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* value = node.as_integer()) return std::int64_t{value->get()};
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_string()) {
    if (value->get().find('\0') == std::string::npos) return value->get();
    throw ConfigError(cat(source_of(node, file).to_string(), ": ", key, ": a string cannot hold the character U+0000"));
  }
  if (const auto* array = node.as_array()) {
    Value::List list;
    for (const toml::node& item : *array) list.push_back(value_of(item, file, key));
    return list;
  }
  throw ConfigError(cat(source_of(node, file).to_string(), ": ", key,
                        ": expected a boolean, a number, a string or a list",
                        is_time(node) ? "; a date or a time is written as a string, in quotes" : ""));
}

/// Two keys are one where one is in quotes, with its dots, and the other is not.
void add(const std::string& key, Setting setting, Settings& settings) {
  const auto [known, is_new] = settings.emplace(key, setting);
  if (is_new) return;
  reject(key, setting,
         cat("this key is given twice; it is ", known->second.value.to_string(), " at ",
             known->second.source.to_string()));
}

/// A value beside a table of the same name, which TOML itself allows only where one of them is in quotes.
void reject_values_with_keys_below(const Settings& settings) {
  for (const auto& [key, setting] : settings) {
    const auto below = settings.lower_bound(key + ".");
    if (below == settings.end() || !below->first.starts_with(key + ".")) continue;
    reject(key, setting, cat("this is a table as well: ", below->second.source.to_string(), " gives ", below->first));
  }
}

void flatten(const toml::table& table, const std::string& prefix, std::string_view file, Settings& settings) {
  for (const auto& [name, node] : table) {
    const std::string key = prefix + std::string(name.str());
    if (const toml::table* inner = node.as_table()) {
      flatten(*inner, key + ".", file, settings);
    } else if (node.is_array_of_tables()) {
      std::size_t index = 0;
      for (const toml::node& item : *node.as_array()) {
        flatten(*item.as_table(), cat(key, ".", index++, "."), file, settings);
      }
    } else {
      add(key, Setting{value_of(node, file, key), source_of(node, file)}, settings);
    }
  }
}

/// What beginners will want to know beside the parser's words.
std::string_view hint(std::string_view complaint) {
  if (complaint.find("could not determine value type") != std::string_view::npos) {
    return "; texts need quotes: workload = \"mnist\"";
  }
  if (complaint.find("redefine") != std::string_view::npos) {
    return "; a table's keys stand together below its [name], or all by their long names above the first table";
  }
  return {};
}

}  // namespace

Settings parse_toml(std::string_view text, std::string_view file_name) {
  Scan(text, file_name).check();
  try {
    Settings settings;
    flatten(toml::parse(text, file_name), "", file_name, settings);
    reject_values_with_keys_below(settings);
    return settings;
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    throw ConfigError(
        cat(file_name, ":", at.line, ":", at.column, ": ", error.description(), hint(error.description())));
  }
}

std::string read_toml_text(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (std::filesystem::is_directory(file) || !in) {
    throw ConfigError(cat("cannot read the configuration ", file.string(), system_reason()));
  }
  std::string text(kLargestFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kLargestFile) {
    throw ConfigError(cat(file.string(), " is no configuration: it has more than ", kLargestFile, " bytes"));
  }
  return text;
}

Settings read_toml(const std::filesystem::path& file) {
  return parse_toml(read_toml_text(file), file.string());
}

std::pair<std::string, Setting> parse_override(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    throw ConfigError(cat("--set ", text, ": expected key=value"));
  }
  const std::string key(text.substr(0, equals));
  const std::string raw(text.substr(equals + 1));
  const Source source{std::string(kCommandLine)};
  const Setting as_text{Value(raw), source};
  Scan(raw, cat(kCommandLine, ' ', key)).check();
  try {
    const toml::table table = toml::parse("value = " + raw);
    const toml::node& node = *table.get("value");
    // Words need no quotes here: what would be a date is one, and so is what only begins as a number does.
    const bool more = table.size() > 1 || (!node.is_string() && node.is_value() && raw.find('#') != std::string::npos);
    if (more || is_time(node)) return {key, as_text};
    return {key, {value_of(node, kCommandLine, key), source}};
  } catch (const toml::parse_error&) {
    return {key, as_text};
  }
}

}  // namespace fleet
