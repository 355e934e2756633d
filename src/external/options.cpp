#include "external/options.hpp"

#include <cmath>

#include "base/error.hpp"

namespace fleet {
namespace {

Json to_json(std::string_view key, const Setting& setting, const Value& value) {
  if (const auto* real = std::get_if<double>(&value.data)) {
    if (!std::isfinite(*real)) reject(key, setting, "a number that is handed to a program must be finite");
    return *real;
  }
  if (const auto* flag = std::get_if<bool>(&value.data)) return *flag;
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) return *whole;
  if (const auto* text = std::get_if<std::string>(&value.data)) return *text;
  Json list = Json::array();
  for (const Value& item : std::get<Value::List>(value.data)) list.push_back(to_json(key, setting, item));
  return list;
}

Value to_value(std::string_view key, const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  require(json.is_array(), "the default of the setting ", key, " is ", json.type_name(),
          "; expected a boolean, a number, a string or a list");
  Value::List list;
  for (const Json& item : json) list.push_back(to_value(key, item));
  return list;
}

}  // namespace

std::string ExternalOptions::key() const {
  std::string text = cat(child.threads, ' ', child.shows, ' ', time_limit);
  for (const std::string& word : child.command) text += cat('\n', word.size(), ' ', word);
  return text;
}

ExternalOptions read_external_options(SettingsReader& settings, std::string_view table) {
  ExternalOptions options;
  const std::string command = cat(table, ".command");
  settings.read(command, options.child.command, "A program of your own, with its arguments.");
  settings.read("run.threads", options.child.threads, between(1, 1024), "Threads of each rank.");
  settings.read("run.external.time_limit", options.time_limit, between(0.01, 1e7),
                "Seconds that a program of your own may take for one answer.");
  settings.read("run.external.show", options.child.shows,
                "Whether what programs of your own say is shown, on standard error.");
  const std::string prefix = cat(table, ".settings");
  options.settings = Json::object();
  for (const auto& [name, setting] : settings.table(prefix)) {
    options.settings[name] = to_json(cat(prefix, '.', name), setting, setting.value);
  }
  return options;
}

void require_command(const ExternalOptions& options, const SettingsReader& settings, std::string_view table) {
  if (!options.child.command.empty() && !options.child.command.front().empty()) return;
  const std::string key = cat(table, ".command");
  reject(key, settings.resolved().find(key)->second,
         "expected a program and its arguments, say [\"python3\", \"my_fleet.py\"]");
}

void accept_settings(SettingsReader& settings, std::string_view table, const Json& known) {
  const std::string prefix = cat(table, ".settings");
  const Settings written = settings.table(prefix);
  if (known.is_null()) {
    for (const auto& [name, setting] : written) settings.keep(cat(prefix, '.', name), setting.value);
    return;
  }
  require(known.is_object(), "\"settings\" is no object");
  for (const auto& [name, otherwise] : known.items()) {
    const auto own = written.find(name);
    settings.keep(cat(prefix, '.', name), own != written.end() ? own->second.value : to_value(name, otherwise));
  }
}

void reject_setting(const SettingsReader& settings, std::string_view table, const SettingError& error) {
  const std::string prefix = cat(table, ".settings");
  const Settings written = settings.table(prefix);
  const auto own = written.find(error.key());
  const std::string key = cat(prefix, '.', error.key());
  if (own != written.end()) reject(key, own->second, error.what());
  throw ConfigError(cat(key, ": ", error.what()));
}

}  // namespace fleet
