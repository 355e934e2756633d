// The line by which a benchmark tells bench.py how it compares. The larger a ratio, the better.
#pragma once

#include <cstdio>
#include <string>

namespace fleet {

/// `name` says of what; it may have spaces, but no " = ".
inline void print_ratio(const std::string& name, double value) {
  std::printf("ratio: %s = %.3f\n", name.c_str(), value);
}

}  // namespace fleet
