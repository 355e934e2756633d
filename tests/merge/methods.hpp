// Merging methods as tests ask for them.
#pragma once

#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/settings.hpp"
#include "merge/merger.hpp"

namespace fleet {

inline std::unique_ptr<Merger> make_method(const std::string& method, const std::map<std::string, Value>& keys = {}) {
  Settings settings;
  for (const auto& [key, value] : keys) settings[key].value = value;
  SettingsReader reader(settings);
  return find_merger(method).make(reader);
}

/// Participants 0 to `robots` - 1.
inline std::vector<int> everyone(int robots) {
  std::vector<int> all(static_cast<std::size_t>(robots));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

}  // namespace fleet
