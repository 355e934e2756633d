#include "train/shards.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error.hpp"
#include "base/random.hpp"

namespace fleet {
namespace {

using ByClass = std::vector<std::vector<std::int32_t>>;

/// `count` samples by the shares of the classes that have any.
std::vector<std::int32_t> draw(const ByClass& classes, std::vector<double> shares, std::int64_t count,
                               RandomStream& stream) {
  const auto counts = apportion(restricted(std::move(shares), [&](std::size_t k) { return classes[k].empty(); }),
                                static_cast<std::size_t>(count));
  std::vector<std::int32_t> drawn;
  for (std::size_t k = 0; k < classes.size(); ++k) {
    std::size_t wanted = counts[k];
    for (; wanted > classes[k].size(); wanted -= classes[k].size()) {
      drawn.insert(drawn.end(), classes[k].begin(), classes[k].end());
    }
    for (const int i : stream.sample(static_cast<int>(classes[k].size()), static_cast<int>(wanted))) {
      drawn.push_back(classes[k][static_cast<std::size_t>(i)]);
    }
  }
  return drawn;
}

std::int64_t total(const ByClass& classes) {
  std::int64_t sum = 0;
  for (const auto& members : classes) sum += std::ssize(members);
  return sum;
}

}  // namespace

Shards::Shards(const std::vector<Shard>& shards) : robots_(static_cast<int>(shards.size())) {
  std::size_t total = 0;
  for (const Shard& shard : shards) total += shard.train.size() + shard.held_out.size();
  listed_.reserve(total);
  ends_.reserve(2 * shards.size());
  for (const auto part : {&Shard::train, &Shard::held_out}) {
    for (const Shard& shard : shards) {
      listed_.insert(listed_.end(), (shard.*part).begin(), (shard.*part).end());
      ends_.push_back(listed_.size());
    }
  }
}

Shards::Shards(int robots, SampleCounts each, std::function<Shard(int)> find)
    : robots_(robots), each_(each), find_(std::move(find)) {}

SampleCounts Shards::samples(int robot) const {
  if (find_) return each_;
  const auto size = [&](std::size_t part) {
    return static_cast<std::int64_t>(ends_[part] - (part == 0 ? 0 : ends_[part - 1]));
  };
  const auto first = static_cast<std::size_t>(robot);
  return {.train = size(first), .held_out = size(first + static_cast<std::size_t>(robots_))};
}

Shard Shards::of(int robot) const {
  if (find_) return find_(robot);
  const auto part = [&](std::size_t which) {
    const auto begin = listed_.begin() + static_cast<std::ptrdiff_t>(which == 0 ? 0 : ends_[which - 1]);
    return std::vector(begin, listed_.begin() + static_cast<std::ptrdiff_t>(ends_[which]));
  };
  const auto first = static_cast<std::size_t>(robot);
  return {.train = part(first), .held_out = part(first + static_cast<std::size_t>(robots_))};
}

Shards share_out(std::span<const std::uint8_t> labels, int classes, const PartitionOptions& options,
                 std::uint64_t seed) {
  if (options.kind != PartitionOptions::Kind::kDrawn) return partition(labels, classes, options, seed);
  const auto split = std::make_shared<const SamplesByClass>(split_samples(labels, classes, options, seed));
  const SampleCounts all{.train = total(split->train), .held_out = total(split->held_out)};
  require(all.train > 0, "there are no samples to draw from");
  const SampleCounts each = drawn_each(all, options);
  return {options.robots, each, [=, alpha = options.alpha](int robot) {
            constexpr std::uint64_t kOwn = 1;  // 0 is the fleet's
            RandomStream stream(seed, Purpose::kPartition, static_cast<std::uint64_t>(robot), kOwn);
            const std::vector<double> shares = stream.dirichlet(alpha, split->train.size());
            Shard shard;
            shard.train = draw(split->train, shares, each.train, stream);
            if (each.held_out > 0) shard.held_out = draw(split->held_out, shares, each.held_out, stream);
            return shard;
          }};
}

SampleCounts drawn_each(const SampleCounts& all, const PartitionOptions& options) {
  SampleCounts each{.train = options.drawn > 0 ? options.drawn : std::max<std::int64_t>(1, all.train / options.robots)};
  if (all.train > 0) {
    const double held_out = static_cast<double>(all.held_out) / static_cast<double>(all.train);
    each.held_out = std::llround(held_out * static_cast<double>(each.train));
  }
  return each;
}

std::vector<std::int64_t> histogram_of(const Shard& shard, std::span<const std::uint8_t> labels, int classes) {
  std::vector<std::int64_t> histogram(static_cast<std::size_t>(classes));
  for (const std::int32_t sample : shard.train) ++histogram[labels[static_cast<std::size_t>(sample)]];
  return histogram;
}

}  // namespace fleet
