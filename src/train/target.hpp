// What a fleet is to reach: a bound on a metric of the merged policy.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fleet {

/// Whether a metric is a share, between 0 and 1, which tables show in percent.
[[nodiscard]] constexpr bool is_share(std::string_view metric) {
  return metric == "accuracy" || metric == "success";
}

struct Target {
  std::string metric;    ///< as a test names it, e.g. "accuracy"
  bool at_least = true;  ///< else at most
  double value = 0.0;

  [[nodiscard]] bool met_by(double measured) const { return at_least ? measured >= value : measured <= value; }
};

/// "accuracy >= 0.85" or "loss <= 0.3"; nothing for any other text.
[[nodiscard]] std::optional<Target> parse_target(std::string_view text);

}  // namespace fleet
