// What tests of tools share: families and episodes of them.
#pragma once

#include <gtest/gtest.h>

#include "tools/environment.hpp"
#include "tools/suite.hpp"

namespace fleet::tools {

inline std::vector<Family> all_families() {
  std::vector<Family> families;
  for (const auto& [name, text] : own_families()) families.push_back(parse_family(name, text, name + ".toml"));
  return families;
}

inline simulation::Variation drawn(const Family& family, std::uint64_t seed) {
  RandomStream stream(seed, Purpose::kTest);
  const auto tools = static_cast<std::uint64_t>(family.tools.instances.size());
  const auto tool = static_cast<int>(stream.below(tools));
  return draw_episode(family, tool, Pairs::kShown, stream);
}

}  // namespace fleet::tools
