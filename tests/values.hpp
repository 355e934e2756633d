// Weights as tests compare them.
#pragma once

#include <vector>

#include "model/param_layout.hpp"

namespace fleet {

inline std::vector<float> values(const ParamVector& weights) {
  return {weights.flat().begin(), weights.flat().end()};
}

}  // namespace fleet
