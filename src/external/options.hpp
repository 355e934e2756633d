// How a configuration names a program of the user's own, and what it hands to it.
#pragma once

#include <string>
#include <string_view>

#include "base/settings.hpp"
#include "external/child.hpp"
#include "external/conversation.hpp"

namespace fleet {

struct ExternalOptions {
  ChildOptions child;
  double time_limit = 600.0;  ///< seconds for one answer
  Json settings;              ///< an object: all of "TABLE.settings", by names without it

  /// Equal where one program can serve both.
  [[nodiscard]] std::string key() const;
};

/// Reads "TABLE.command", "run.threads", "run.external.time_limit" and "run.external.show", and looks at
/// "TABLE.settings.*", which accept_settings() is to take for read.
[[nodiscard]] ExternalOptions read_external_options(SettingsReader& settings, std::string_view table);
/// ConfigError unless there is a command.
void require_command(const ExternalOptions& options, const SettingsReader& settings, std::string_view table);

/// Takes the settings that a program says it knows, defaults included, for read; others are left to be rejected. Of a
/// program that says nothing (null), whatever is written. Error for a default that no configuration could hold.
void accept_settings(SettingsReader& settings, std::string_view table, const Json& known);

/// Runs `ask`. What a program has against one of its settings is a ConfigError that says where it is written.
template <class Ask>
decltype(auto) asking(const SettingsReader& settings, std::string_view table, const Ask& ask);

/// ConfigError for what a program of `table` has against the setting that `error` names.
[[noreturn]] void reject_setting(const SettingsReader& settings, std::string_view table, const SettingError& error);

template <class Ask>
decltype(auto) asking(const SettingsReader& settings, std::string_view table, const Ask& ask) {
  try {
    return ask();
  } catch (const SettingError& error) {
    reject_setting(settings, table, error);
  } catch (const ConfigError&) {
    throw;
  } catch (const Error& error) {
    const std::string key = std::string(table) + ".command";
    reject(key, settings.resolved().find(key)->second, error.what());
  }
}

}  // namespace fleet
