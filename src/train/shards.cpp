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

// What the streams of kPartition that are named after robots are for; 0 is the fleet's.
constexpr std::uint64_t kShardStream = 1;
constexpr std::uint64_t kSizeStream = 2;

/// Of each class in a robot's shard.
std::vector<double> draw_shares(const ByClass& classes, const PartitionOptions& options, RandomStream& stream) {
  if (options.classes_each == 0) return stream.dirichlet(options.alpha, classes.size());
  std::vector<int> present;
  for (std::size_t k = 0; k < classes.size(); ++k) {
    if (!classes[k].empty()) present.push_back(static_cast<int>(k));
  }
  const int count = std::min(options.classes_each, static_cast<int>(present.size()));
  std::vector<double> shares(classes.size(), 0.0);
  for (const int chosen : stream.sample(static_cast<int>(present.size()), count)) {
    shares[static_cast<std::size_t>(present[static_cast<std::size_t>(chosen)])] = 1.0 / count;
  }
  return shares;
}

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

Shards::Shards(int robots, std::function<SampleCounts(int)> count, std::function<Shard(int)> find)
    : robots_(robots), count_(std::move(count)), find_(std::move(find)) {}

SampleCounts Shards::samples(int robot) const {
  if (find_) return count_(robot);
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
  const auto count = [=](int robot) { return drawn_samples(all, options, seed, robot); };
  return {options.robots, count, [=](int robot) {
            const SampleCounts counts = count(robot);
            RandomStream stream(seed, Purpose::kPartition, static_cast<std::uint64_t>(robot), kShardStream);
            const std::vector<double> shares = draw_shares(split->train, options, stream);
            Shard shard;
            shard.train = draw(split->train, shares, counts.train, stream);
            if (counts.held_out > 0) shard.held_out = draw(split->held_out, shares, counts.held_out, stream);
            return shard;
          }};
}

SampleCounts drawn_samples(const SampleCounts& all, const PartitionOptions& options, std::uint64_t seed, int robot) {
  constexpr double kLargest = 100.0;  // times the mean
  double size = static_cast<double>(options.drawn > 0 ? options.drawn : all.train / options.robots);
  if (const double a = options.size_exponent; a > 0.0) {
    RandomStream stream(seed, Purpose::kPartition, static_cast<std::uint64_t>(robot), kSizeStream);
    size *= std::min(kLargest, (a - 1.0) / a * std::pow(1.0 - stream.uniform(), -1.0 / a));
  }
  SampleCounts counts{.train = std::max<std::int64_t>(1, std::llround(size))};
  const double held_out = static_cast<double>(all.held_out) / static_cast<double>(all.train);
  counts.held_out = std::llround(held_out * static_cast<double>(counts.train));
  return counts;
}

std::vector<std::int64_t> histogram_of(const Shard& shard, std::span<const std::uint8_t> labels, int classes) {
  std::vector<std::int64_t> histogram(static_cast<std::size_t>(classes));
  for (const std::int32_t sample : shard.train) ++histogram[labels[static_cast<std::size_t>(sample)]];
  return histogram;
}

}  // namespace fleet
