#include "train/target.hpp"

#include <charconv>
#include <cmath>

namespace fleet {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') + 1 - begin);
}

}  // namespace

std::optional<Target> parse_target(std::string_view text) {
  const std::size_t sign = text.find_first_of("<>");
  if (sign == std::string_view::npos || text.substr(sign + 1, 1) != "=") return std::nullopt;
  Target target{.metric = std::string(trimmed(text.substr(0, sign))), .at_least = text[sign] == '>'};
  const std::string_view value = trimmed(text.substr(sign + 2));
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), target.value);
  const bool is_name = !target.metric.empty() && target.metric.find(' ') == std::string::npos;
  if (!is_name || error != std::errc() || end != value.data() + value.size() || !std::isfinite(target.value)) {
    return std::nullopt;
  }
  return target;
}

}  // namespace fleet
