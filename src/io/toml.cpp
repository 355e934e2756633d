#include "io/toml.hpp"

#include <cerrno>
#include <fstream>
#include <iterator>

#include <toml++/toml.h>

#include "base/error.hpp"
#include "io/atomic_file.hpp"

namespace fleet {
namespace {

constexpr std::string_view kCommandLine = "--set";

Source source_of(const toml::node& node, std::string_view file) {
  if (file == kCommandLine) return {std::string(file)};
  const toml::source_position begin = node.source().begin;
  return {std::string(file), static_cast<int>(begin.line), static_cast<int>(begin.column)};
}

Value value_of(const toml::node& node, std::string_view file, std::string_view key) {
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* value = node.as_integer()) return std::int64_t{value->get()};
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* array = node.as_array()) {
    Value::List list;
    for (const toml::node& item : *array) list.push_back(value_of(item, file, key));
    return list;
  }
  throw ConfigError(
      cat(source_of(node, file).to_string(), ": ", key, ": expected a boolean, a number, a string or a list"));
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
      settings.insert_or_assign(key, Setting{value_of(node, file, key), source_of(node, file)});
    }
  }
}

}  // namespace

Settings parse_toml(std::string_view text, std::string_view file_name) {
  try {
    Settings settings;
    flatten(toml::parse(text, file_name), "", file_name, settings);
    return settings;
  } catch (const toml::parse_error& error) {
    const toml::source_position at = error.source().begin;
    throw ConfigError(cat(file_name, ":", at.line, ":", at.column, ": ", error.description()));
  }
}

std::string read_toml_text(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  if (std::filesystem::is_directory(file) || !in) {
    throw ConfigError(cat("cannot read the configuration ", file.string(), system_reason()));
  }
  return {std::istreambuf_iterator<char>(in), {}};
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
  try {
    const toml::table table = toml::parse("value = " + raw);
    return {key, {value_of(*table.get("value"), kCommandLine, key), source}};
  } catch (const toml::parse_error&) {
    return {key, {Value(raw), source}};
  }
}

}  // namespace fleet
