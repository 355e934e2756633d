#include "suites.hpp"

#include <array>

#include "control/suite.hpp"
#include "locomotion/suite.hpp"
#include "metaworld/suite.hpp"
#include "tools/suite.hpp"

namespace fleet {

std::span<const simulation::SuiteEntry* const> suite_table() {
  static const std::array kSuites = {&metaworld::suite_entry(), &tools::suite_entry(), &control::suite_entry(),
                                     &locomotion::suite_entry()};
  return kSuites;
}

}  // namespace fleet
