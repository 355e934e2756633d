// JSON of others, read strictly. Seen by the sources of src/io and src/data alone: it brings the library's header
// along.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace fleet {

using Json = nlohmann::json;

/// Error that begins with `name` where `text` is no JSON, names a key of one object twice, or nests deeper than 64:
/// what readers may take differently is refused.
[[nodiscard]] Json parse_json(std::string_view text, const std::string& name);

}  // namespace fleet
