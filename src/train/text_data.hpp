// What a workload that learns text is made from: the seam between the worlds that have texts and the networks.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "train/text_partition.hpp"

namespace fleet {

struct TextData {
  std::span<const std::uint8_t> codes;  ///< the whole text, each below kTextVocabulary.size(); outlives the workload
  int window = 80;                      ///< characters from which the next is predicted
  TextPartition partition;              ///< ranges of `codes`: train and held-out by robot, test by role
  std::vector<std::string> roles;       ///< "PLAY: ROLE" of partition.roles
  std::vector<std::vector<std::int64_t>> characters;  ///< in training shards: [robot][play]
};

}  // namespace fleet
