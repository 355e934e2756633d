#include "io/json.hpp"

#include <set>
#include <vector>

#include "base/error.hpp"

namespace fleet {

Json parse_json(std::string_view text, const std::string& name) {
  constexpr int kDeepest = 64;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto look = [&](int depth, Json::parse_event_t event, Json& parsed) {
    require(depth <= kDeepest, name, ": it nests deeper than ", kDeepest);
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) {
      const auto key = parsed.get<std::string>();
      require(keys.back().insert(key).second, name, ": it has \"", key, "\" twice");
    }
    return true;
  };
  try {
    return Json::parse(text, look);
  } catch (const Json::exception& error) {
    const std::string message = error.what();  // "[json.exception.parse_error.101] parse error at line 1, ..."
    const std::size_t end = message.find("] ");
    throw Error(cat(name, ": no valid JSON: ", end == std::string::npos ? message : message.substr(end + 2)));
  }
}

}  // namespace fleet
