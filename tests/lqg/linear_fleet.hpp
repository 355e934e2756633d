// An LQG experiment and a merger as a configuration names them.
#pragma once

#include "io/toml.hpp"
#include "lqg/workload.hpp"

namespace fleet::lqg_test {

inline LqgOptions options_of(const std::string& text, std::uint64_t seed) {
  Settings settings = parse_toml(text, "lqg.toml");
  settings["seed"].value = static_cast<std::int64_t>(seed);
  SettingsReader reader(settings);
  return read_lqg_options(reader);
}

inline std::unique_ptr<Merger> merger_called(std::string_view name, const std::string& text = "") {
  const Settings settings = parse_toml(text, "method.toml");
  SettingsReader reader(settings);
  return find_merger(name).make(reader);
}

}  // namespace fleet::lqg_test
