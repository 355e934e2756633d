#include "train/text_partition.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "base/error.hpp"
#include "base/random.hpp"
#include "train/partition.hpp"

namespace fleet {
namespace {

using Kind = TextPartitionOptions::Kind;

/// Of a role's training text, the piece that is dealt as one.
struct Block {
  TextRange text;
  std::int32_t role = 0;
  std::int32_t play = 0;
};

/// The training texts cut into windows, the last of each with what is left over.
std::vector<Block> cut(const std::vector<RoleSplit>& splits, std::span<const TextRole> roles, int window) {
  std::vector<Block> blocks;
  for (const RoleSplit& split : splits) {
    const std::int32_t play = roles[static_cast<std::size_t>(split.role)].play;
    const std::int64_t count = std::max<std::int64_t>(1, split.train.size() / window);
    for (std::int64_t i = 0; i < count; ++i) {
      const std::int64_t begin = split.train.begin + i * window;
      blocks.push_back({{begin, i + 1 == count ? split.train.end : begin + window}, split.role, play});
    }
  }
  return blocks;
}

/// Roles from the one that says most, ties in the order of the text.
std::vector<std::size_t> by_size(const std::vector<RoleSplit>& splits) {
  std::vector<std::size_t> order(splits.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return splits[a].train.size() > splits[b].train.size(); });
  return order;
}

/// The robot of every block when robot = owner[index into `splits`].
std::vector<std::size_t> follow_roles(const std::vector<Block>& blocks, const std::vector<RoleSplit>& splits,
                                      const std::vector<std::size_t>& owner) {
  std::vector<std::size_t> robots;
  std::size_t at = 0;
  for (const Block& block : blocks) {
    while (splits[at].role != block.role) ++at;
    robots.push_back(owner[at]);
  }
  return robots;
}

/// The largest role that is left to the robot that has least: Graham's rule, no robot exceeds the best partition's
/// largest by more than a third.
std::vector<std::size_t> group_roles(const std::vector<RoleSplit>& splits, std::size_t robots) {
  std::vector<std::int64_t> load(robots, 0);
  std::vector<std::size_t> owner(splits.size());
  for (const std::size_t role : by_size(splits)) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += splits[role].train.size();
    owner[role] = static_cast<std::size_t>(least - load.begin());
  }
  return owner;
}

/// Splits every run of blocks of one class, in order, by shares that are drawn for it.
template <class ClassOf>
std::vector<std::size_t> deal_by_class(const std::vector<Block>& blocks, std::size_t robots, double alpha,
                                       RandomStream& stream, ClassOf class_of) {
  std::vector<std::size_t> dealt;
  while (dealt.size() < blocks.size()) {
    const auto first = blocks.begin() + static_cast<std::ptrdiff_t>(dealt.size());
    const auto last =
        std::find_if(first, blocks.end(), [&](const Block& block) { return class_of(block) != class_of(*first); });
    const std::vector<double> shares = stream.dirichlet(alpha, robots);
    const std::vector<std::size_t> counts = apportion(shares, static_cast<std::size_t>(last - first));
    for (std::size_t i = 0; i < robots; ++i) dealt.insert(dealt.end(), counts[i], i);
  }
  return dealt;
}

/// The robot of every block.
std::vector<std::size_t> deal(const std::vector<Block>& blocks, const std::vector<RoleSplit>& splits,
                              const TextPartitionOptions& options, std::uint64_t seed) {
  const auto robots = static_cast<std::size_t>(options.robots);
  RandomStream stream(seed, Purpose::kPartition);
  switch (options.kind) {
    case Kind::kLargest: {
      std::vector<std::size_t> owner(splits.size());
      std::iota(owner.begin(), owner.end(), std::size_t{0});
      return follow_roles(blocks, splits, owner);
    }
    case Kind::kGrouped:
      return follow_roles(blocks, splits, group_roles(splits, robots));
    case Kind::kDirichletPlays:
      return deal_by_class(blocks, robots, options.alpha, stream, [](const Block& block) { return block.play; });
    case Kind::kDirichletRoles:
      return deal_by_class(blocks, robots, options.alpha, stream, [](const Block& block) { return block.role; });
    case Kind::kContiguous:
      break;
  }
  std::vector<std::size_t> owner(blocks.size());
  for (std::size_t i = 0; i < blocks.size(); ++i) owner[i] = i * robots / blocks.size();
  return owner;
}

/// Adds a range to a shard, its last share to what is held out if that leaves a prediction to either side.
void give(TextRange text, double held_out, TextShard& shard) {
  auto kept = static_cast<std::int64_t>(std::llround(held_out * static_cast<double>(text.size())));
  if (kept < 2 || text.size() - kept < 2) kept = 0;
  shard.train.push_back({text.begin, text.end - kept});
  if (kept > 0) shard.held_out.push_back({text.end - kept, text.end});
}

/// Blocks to shards, those of a robot that follow one another in a role as one range.
std::vector<TextShard> collect(const std::vector<Block>& blocks, const std::vector<std::size_t>& owner,
                               const TextPartitionOptions& options) {
  std::vector<TextShard> shards(static_cast<std::size_t>(options.robots));
  for (std::size_t i = 0; i < blocks.size();) {
    TextRange range = blocks[i].text;
    std::size_t next = i + 1;
    for (; next < blocks.size() && owner[next] == owner[i] && blocks[next].role == blocks[i].role; ++next) {
      range.end = blocks[next].text.end;
    }
    give(range, options.held_out, shards[owner[i]]);
    i = next;
  }
  return shards;
}

/// The N roles that say most, in the order of the text.
void keep_largest(std::vector<RoleSplit>& splits, std::size_t count) {
  std::vector<std::size_t> order = by_size(splits);
  order.resize(count);
  std::sort(order.begin(), order.end());
  std::vector<RoleSplit> kept;
  for (const std::size_t role : order) kept.push_back(splits[role]);
  splits = std::move(kept);
}

}  // namespace

std::uint8_t code_of(char character) {
  static const auto kCodes = [] {
    std::array<std::uint8_t, 256> codes{};
    codes.fill(static_cast<std::uint8_t>(kTextVocabulary.size() - 1));
    for (std::size_t i = 0; i < kTextVocabulary.size(); ++i) {
      codes[static_cast<unsigned char>(kTextVocabulary[i])] = static_cast<std::uint8_t>(i);
    }
    return codes;
  }();
  return kCodes[static_cast<unsigned char>(character)];
}

std::int64_t samples_in(std::int64_t characters, int window) {
  return std::max<std::int64_t>(0, characters - window);
}

std::vector<RoleSplit> split_roles(std::span<const TextRole> roles, const TextPartitionOptions& options) {
  std::vector<RoleSplit> splits;
  for (std::size_t i = 0; i < roles.size(); ++i) {
    const TextRange& text = roles[i].text;
    const std::int64_t samples = samples_in(text.size(), options.window);
    if (roles[i].lines < options.min_lines || samples < std::max<std::int64_t>(1, options.min_samples)) continue;
    const auto trained = static_cast<std::int64_t>(options.train * static_cast<double>(samples));
    const std::int64_t end = text.begin + std::max<std::int64_t>(1, trained) + options.window;
    if (text.end - end < options.window) continue;
    splits.push_back({static_cast<std::int32_t>(i), {text.begin, end}, {end, text.end}});
  }
  return splits;
}

TextPartition partition_text(std::span<const TextRole> roles, const TextPartitionOptions& options, std::uint64_t seed) {
  TextPartition partition{.shards = {}, .roles = split_roles(roles, options)};
  const auto robots = static_cast<std::size_t>(options.robots);
  const bool whole = options.kind == Kind::kLargest || options.kind == Kind::kGrouped;
  require(!partition.roles.empty(), "none of ", roles.size(), " roles says enough for windows of ", options.window,
          " characters, with at least ", options.min_lines, " lines, ", options.min_samples,
          " windows and a test: shorten the windows or lower the minimum");
  if (whole && robots > partition.roles.size()) {
    throw TooManyRobots(
        cat(robots, " robots, but only ", partition.roles.size(), " of ", roles.size(), " roles say enough for one"));
  }
  if (options.kind == Kind::kLargest) keep_largest(partition.roles, robots);
  const std::vector<Block> blocks = cut(partition.roles, roles, options.window);
  if (!whole && robots > blocks.size()) {
    throw TooManyRobots(
        cat(robots, " robots, but only ", blocks.size(), " windows of ", options.window, " characters to share out"));
  }
  partition.shards = collect(blocks, deal(blocks, partition.roles, options, seed), options);
  return partition;
}

std::vector<std::vector<std::int64_t>> characters_by_play(const TextPartition& partition,
                                                          std::span<const TextRole> roles) {
  const std::size_t plays = roles.empty() ? 0 : static_cast<std::size_t>(roles.back().play) + 1;
  std::vector<std::vector<std::int64_t>> counts;
  for (const TextShard& shard : partition.shards) {
    std::vector<std::int64_t>& row = counts.emplace_back(plays, 0);
    for (const TextRange& range : shard.train) {
      const auto role = std::prev(
          std::upper_bound(roles.begin(), roles.end(), range.begin,
                           [](std::int64_t at, const TextRole& candidate) { return at < candidate.text.begin; }));
      row[static_cast<std::size_t>(role->play)] += range.size();
    }
  }
  return counts;
}

}  // namespace fleet
