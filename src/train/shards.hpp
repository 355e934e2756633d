// Who has which samples, for fleets of any size: listed once for all robots, or found anew for each when it is asked
// for, as a random stream that is named after a robot can be drawn again.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "train/partition.hpp"

namespace fleet {

class Shards {
 public:
  Shards() = default;
  /// As listed.
  Shards(const std::vector<Shard>& shards);  // NOLINT: it is them
  /// `find` finds a robot's, of so many samples: both the same at every call.
  Shards(int robots, std::function<SampleCounts(int robot)> count, std::function<Shard(int robot)> find);

  [[nodiscard]] int robots() const { return robots_; }
  /// In the shard of one robot.
  [[nodiscard]] SampleCounts samples(int robot) const;
  [[nodiscard]] Shard of(int robot) const;

 private:
  int robots_ = 0;
  std::vector<std::int32_t> listed_;  // one robot's to train on after another's, then what they hold out
  std::vector<std::size_t> ends_;     // in listed_: of each robot's training part, then of what it holds out
  std::function<SampleCounts(int)> count_;
  std::function<Shard(int)> find_;  // none: they are listed
};

/// partition() or, of kDrawn, robot i's samples as a stream of its own draws them whenever they are asked for: by class
/// the share that Dirichlet(alpha 1_K) gives it, or equal parts of a few classes; none twice unless a class has too
/// few.
[[nodiscard]] Shards share_out(std::span<const std::uint8_t> labels, int classes, const PartitionOptions& options,
                               std::uint64_t seed);
/// Samples of robot i of kDrawn where so many are shared out: it holds out as many as fit its share of what is held
/// out. Sizes of a power law are m u^(-1/a), u uniform, of the mean that is asked for, and at most a hundred times it.
[[nodiscard]] SampleCounts drawn_samples(const SampleCounts& all, const PartitionOptions& options, std::uint64_t seed,
                                         int robot);

/// Samples of each class in a training shard.
[[nodiscard]] std::vector<std::int64_t> histogram_of(const Shard& shard, std::span<const std::uint8_t> labels,
                                                     int classes);

}  // namespace fleet
