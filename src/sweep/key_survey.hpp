// Which settings there are, and who reads them: found by asking all readers, with every choice that changes what is
// read.
//
// Nothing lists the keys beside the code that reads them. Called by `fleet keys`, and by what is generated from it.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/settings.hpp"
#include "sweep/world.hpp"

namespace fleet {

/// A key with the values that it has wherever it is read in some way.
using KeyCondition = std::pair<std::string, std::vector<std::string>>;

/// A way in which a key is read.
struct KeyUse {
  KeyNote note;
  std::vector<KeyCondition> conditions;  ///< all of which hold where it is read so
  std::vector<std::string> worlds;       ///< whose key it is; empty: not a world's alone
};

struct SurveyedKey {
  std::string key;
  std::vector<KeyUse> uses;  ///< at least one
};

/// Under which settings a key is read so, as a configuration writes them: `model.kind = "lstm" or "gru"`.
[[nodiscard]] std::vector<std::string> conditions_of(const KeyUse& use);
/// "of mnist or cifar10, where model.kind = \"cnn\""; empty where it is always read.
[[nodiscard]] std::string where_read(const SurveyedKey& key);

/// Every key that can be set, in their order.
[[nodiscard]] std::vector<SurveyedKey> survey_keys(std::span<const WorldEntry> worlds);

}  // namespace fleet
