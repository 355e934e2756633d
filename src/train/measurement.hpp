// One number read off a fleet by an instrument: a row of the table `instruments` of a results file.
#pragma once

#include <limits>
#include <string>

namespace fleet {

struct Measurement {
  std::string instrument;  ///< "interpolation", "barrier", "norms", "alignment", "finetune"
  std::string subject;     ///< what of: an alignment, a tensor, a start
  std::string split;       ///< of the data that it was measured on; empty where none was
  std::string metric;
  int robot = -1;                                        ///< -1: none, or the merged policy
  int other = -1;                                        ///< the second of a pair
  double at = std::numeric_limits<double>::quiet_NaN();  ///< place on a curve
  double value = 0.0;
};

}  // namespace fleet
