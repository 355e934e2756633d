// What worlds say of data that they cannot use: located where the user wrote where they lie, and found before anything
// runs.
#pragma once

#include <string_view>

#include "base/settings.hpp"

namespace fleet {

/// ConfigError for the data that `key` names, which has been read: "file:line:column: key = value: complaint", or,
/// where nobody has set the key, the complaint alone; then, on a line of its own, what to do about it.
[[noreturn]] inline void reject_data(const SettingsReader& settings, std::string_view key, std::string_view complaint,
                                     std::string_view advice) {
  const Setting& setting = settings.resolved().find(key)->second;
  const std::string text = cat(complaint, '\n', advice);
  if (setting.source.line == 0 && setting.source.file == "default") throw ConfigError(text);
  reject(key, setting, text);
}

/// ConfigError for a setting that has been read.
[[noreturn]] inline void reject_read(const SettingsReader& settings, std::string_view key, std::string_view complaint) {
  reject(key, settings.resolved().find(key)->second, complaint);
}

}  // namespace fleet
