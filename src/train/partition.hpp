// Who gets which data: shards over robots, reproducible and bounded in time for every alpha and every fleet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/settings.hpp"

namespace fleet {

struct PartitionOptions {
  enum class Kind {
    kMixture,   ///< robot i draws from the classes by p_i ~ Dirichlet(alpha 1_K); equal sizes (FLEET-MERGE, Section 5)
    kPerClass,  ///< class k is split by q_k ~ Dirichlet(alpha 1_N); sizes differ, some may be 0 (Hsieh et al., 2020)
    kIid,       ///< equal sizes, drawn alike
    kDrawn,  ///< robot i draws from all samples, by a mixture as in kMixture and a stream of its own: robots may share
             ///< samples, so that a fleet may be of any size (Shards)
  };
  Kind kind = Kind::kMixture;
  int robots = 5;
  double alpha = 1.0;        ///< > 0; smaller is more heterogeneous; unused by kIid
  double held_out = 0.1;     ///< share of the samples that no robot trains on, dealt to the same robots alike
  std::int64_t samples = 0;  ///< of the whole data set to use; 0 for all

  // Of kDrawn:
  std::int64_t drawn = 0;  ///< samples that a robot trains on, in the mean; 0: as many as there are for each, or one
  double size_exponent = 0.0;  ///< > 1: sizes fall off as a power law (Pareto) of this exponent; 0: all are equal
  int classes_each = 0;        ///< classes that a robot has, in equal parts; 0: by the mixture
};

/// Reads "data.held_out", "fleet.robots", "fleet.partition" ("mixture", "per-class", "iid" or, for worlds that take it,
/// "drawn"), "fleet.alpha" and, for "drawn", "fleet.samples", "fleet.size_exponent" and "fleet.classes".
[[nodiscard]] PartitionOptions read_partition_options(SettingsReader& settings, bool takes_drawn = false);

/// Whole numbers that add up to `total` and stay within one of share * total, for shares that add up to 1: largest
/// remainders, ties to the first.
[[nodiscard]] std::vector<std::size_t> apportion(const std::vector<double>& shares, std::size_t total);

/// Shares with those of empty classes spread over the others, of which there is at least one.
[[nodiscard]] std::vector<double> restricted(std::vector<double> shares,
                                             const std::function<bool(std::size_t)>& is_empty);

/// Indices into the data set.
struct Shard {
  std::vector<std::int32_t> train;
  std::vector<std::int32_t> held_out;
};

/// One shard per robot, from the class of every sample (values below `classes`), of every kind but kDrawn.
///
/// kMixture deals each class from a shuffled deck that is shuffled anew when it runs out, so that shards are disjoint
/// as far as the mixture allows and the mixture is exact. The other two are always disjoint and use every sample.
/// Held-out samples are split off per class beforehand: none is in any robot's training shard.
///
/// Where samples come in episodes, those of one resemble each other or even overlap; `episodes` has each sample's, and
/// whole episodes are dealt and held out then. What a robot gets of a class is within an episode of the above.
/// `held_out` is a share of episodes, of each class with two at least one and never all; what is held out is dealt by
/// single samples: it tests, and finetunes merged policies, but tells no robot's own from another's.
[[nodiscard]] std::vector<Shard> partition(std::span<const std::uint8_t> labels, int classes,
                                           const PartitionOptions& options, std::uint64_t seed,
                                           std::span<const std::int32_t> episodes = {});

/// Numbers of samples.
struct SampleCounts {
  std::int64_t train = 0;
  std::int64_t held_out = 0;
};

/// The same by class, as each class was shuffled.
struct SamplesByClass {
  std::vector<std::vector<std::int32_t>> train;
  std::vector<std::vector<std::int32_t>> held_out;  ///< that no robot trains on
};
[[nodiscard]] SamplesByClass split_samples(std::span<const std::uint8_t> labels, int classes,
                                           const PartitionOptions& options, std::uint64_t seed);

/// The samples that there are to share out: what partition() deals, given the same: with fewer samples to train on than
/// robots, some of them get nothing for certain, and of a mixture nobody gets any.
[[nodiscard]] SampleCounts count_samples(std::span<const std::uint8_t> labels, int classes,
                                         const PartitionOptions& options, std::uint64_t seed,
                                         std::span<const std::int32_t> episodes = {});

}  // namespace fleet
