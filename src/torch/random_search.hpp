// Augmented random search (Mania, Guy and Recht, "Simple random search of static linear policies is competitive for
// reinforcement learning", NeurIPS 2018, version V2-t): a policy's gradient from whole episodes of policies nearby.
// Seen only inside src/torch.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "base/random.hpp"
#include "base/state.hpp"
#include "torch/feature_statistics.hpp"
#include "torch/network.hpp"
#include "torch/online.hpp"

namespace fleet {

/// Directions are drawn for whitened observations: those of the first map are divided by the deviations of what the
/// robot has seen so far. So weights stay those of a network that sees observations as they are, and can be merged.
class RandomSearch {
 public:
  /// `network` must outlive it.
  RandomSearch(const Network& network, int features, const SearchOptions& options)
      : network_(network), options_(options), seen_(static_cast<std::size_t>(features)) {}

  /// Of the `number`-th episode of a step, under these weights, whose observations it hands to see(): the sum of its
  /// rewards.
  using Play = std::function<double(const ParamVector& weights, std::uint64_t number)>;
  /// Writes minus the estimated gradient of the return, in units of the deviation of the best directions' returns.
  /// Directions are drawn from `stream`.
  void estimate(const ParamVector& weights, const Play& play, RandomStream& stream, ParamVector& gradient);
  /// Notes observations, rows x features; directions of later steps are whitened by them.
  void see(std::span<const float> observations) { seen_.see(observations); }

  void save(StateWriter& state) const { seen_.save(state); }
  void load(StateReader& state) { seen_.load(state); }

 private:
  [[nodiscard]] ParamVector draw(RandomStream& stream) const;

  const Network& network_;
  SearchOptions options_;
  FeatureStatistics seen_;
};

}  // namespace fleet
