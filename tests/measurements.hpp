// Measurements as texts that are equal when every bit is.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "train/measurement.hpp"

namespace fleet {

inline std::vector<std::string> described(const std::vector<Measurement>& measurements) {
  std::vector<std::string> lines;
  for (const Measurement& m : measurements) {
    char numbers[80];
    std::snprintf(numbers, sizeof numbers, "%a %a", m.at, m.value);
    lines.push_back(
        cat(m.instrument, '|', m.subject, '|', m.split, '|', m.metric, '|', m.robot, '|', m.other, '|', numbers));
  }
  return lines;
}

}  // namespace fleet
