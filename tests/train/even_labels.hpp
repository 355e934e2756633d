// Labels of ten classes in turn.
#pragma once

#include <cstdint>
#include <vector>

namespace fleet {

inline constexpr int kClasses = 10;

inline std::vector<std::uint8_t> even_labels(int per_class) {
  std::vector<std::uint8_t> labels;
  for (int i = 0; i < per_class * kClasses; ++i) labels.push_back(static_cast<std::uint8_t>(i % kClasses));
  return labels;
}

}  // namespace fleet
