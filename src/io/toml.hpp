// TOML files as Settings.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/settings.hpp"

namespace fleet {

/// Tables become dotted keys, each with its line and column; an array of tables "a" becomes keys "a.0.x", "a.1.x".
/// ConfigError names file, line and column of a syntax error, or the file that cannot be read.
[[nodiscard]] Settings read_toml(const std::filesystem::path& file);
/// What read_toml() reads, not yet looked at: a file, or a pipe, which can be read once.
[[nodiscard]] std::string read_toml_text(const std::filesystem::path& file);
[[nodiscard]] Settings parse_toml(std::string_view text, std::string_view file_name);

/// The setting of "key=value" as given on the command line; a value that is not TOML is taken as a string.
[[nodiscard]] std::pair<std::string, Setting> parse_override(std::string_view text);

}  // namespace fleet
