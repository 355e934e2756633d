// Who gets which stretch of a text that many roles speak: robots' shards and tests as ranges of one shared text.
//
// Within a role time runs from left to right, so that train, held-out and test follow one another. Plain data, bounded
// in time, the same for every run. Called by worlds that learn text.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"

namespace fleet {

/// The 80 characters of LEAF's Shakespeare, by code. The last stands for every character that is none of the others.
inline constexpr std::string_view kTextVocabulary =
    "\n !\"&'(),-.0123456789:;>?ABCDEFGHIJKLMNOPQRSTUVWXYZ[]abcdefghijklmnopqrstuvwxyz}";
static_assert(kTextVocabulary.size() == 80);
/// The code of a character, 0 to 79.
[[nodiscard]] std::uint8_t code_of(char character);

/// The characters [begin, end) of a text. To a learner that predicts each character from those before it, the first is
/// context only.
struct TextRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  [[nodiscard]] std::int64_t size() const { return end - begin; }
  bool operator==(const TextRange&) const = default;
};

/// A role and all it says, which stands together in the text, in the order in which it is said.
struct TextRole {
  std::string name;
  std::int32_t play = 0;  ///< index of its play; roles of a play stand together
  TextRange text;
  std::int64_t lines = 0;  ///< of the play, spoken by it
};

inline constexpr int kLongestWindow = 100'000;

struct TextPartitionOptions {
  enum class Kind {
    kLargest,         ///< each robot is one of the roles that say most (LEAF's natural partition, cut to the fleet), in
                      ///< the order of the text, so that neighbours' training takes unlike time
    kGrouped,         ///< every role goes whole to one robot, so that robots have about as much text each
    kDirichletPlays,  ///< play k is split by q_k ~ Dirichlet(alpha 1_N); some robots may get nothing
    kDirichletRoles,  ///< role k is
    kContiguous,      ///< equal stretches of the text
  };
  Kind kind = Kind::kLargest;
  int robots = 5;
  double alpha = 1.0;            ///< > 0; smaller is more heterogeneous; for the two that draw
  int window = 80;               ///< characters from which the next is predicted; 1 to kLongestWindow
  std::int64_t min_lines = 3;    ///< a role that says less is left out, as in LEAF
  std::int64_t min_samples = 1;  ///< so is one with fewer windows
  double train = 0.9;            ///< share of a role's windows before its test, in (0, 1)
  double held_out = 0.1;         ///< share of what a robot gets of a role that it does not train on, in [0, 1)
};

/// What of a role is learned and what is tested; disjoint, and no window of the one reaches into the other.
struct RoleSplit {
  std::int32_t role = 0;  ///< index into the roles given
  TextRange train;
  TextRange test;  ///< at least a window long
};

/// Windows of a text of this length, each with a character after it: LEAF's samples.
[[nodiscard]] std::int64_t samples_in(std::int64_t characters, int window);

/// LEAF's preprocessing: of a role with n windows the first floor(train n) are trained on, at least 1; the rest is
/// tested where it shares no character with them. Roles in which this leaves no test, or that fall short of a minimum,
/// are left out.
[[nodiscard]] std::vector<RoleSplit> split_roles(std::span<const TextRole> roles, const TextPartitionOptions& options);

/// A robot's text: ranges in the order of the text, each within one role and at least a window long where it is
/// trained.
struct TextShard {
  std::vector<TextRange> train;
  std::vector<TextRange> held_out;
};

struct TextPartition {
  std::vector<TextShard> shards;  ///< one per robot; together the training text of `roles`, each character once
  std::vector<RoleSplit> roles;   ///< those in use, in the order of the text
};

/// There are fewer roles or windows than robots.
class TooManyRobots : public Error {
 public:
  using Error::Error;
};

/// Error if no role says enough; TooManyRobots if for kLargest and kGrouped there are fewer roles than robots, or
/// otherwise fewer windows.
[[nodiscard]] TextPartition partition_text(std::span<const TextRole> roles, const TextPartitionOptions& options,
                                           std::uint64_t seed);

/// Characters of each play in each robot's training shard: [robot][play].
[[nodiscard]] std::vector<std::vector<std::int64_t>> characters_by_play(const TextPartition& partition,
                                                                        std::span<const TextRole> roles);

}  // namespace fleet
