// Private sums: what robots send is shortened, blurred by noise, and hidden from all but the sum.
//
// The unit is a robot with all of its data: fleets are neighbours when one of them has a robot more. A merge sees its
// robots through sums alone (Merger::private_sums). To each of them a robot adds a vector no longer than the bound, and
// the robots' noises add up to a Gaussian one of `noise` times the bound: a Gaussian mechanism, whose composition over
// all sums of all merges is Gaussian again and known exactly (Dong et al., 2019, Corollary 2).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/settings.hpp"
#include "comm/comm.hpp"
#include "model/param_layout.hpp"

namespace fleet {

struct PrivacyOptions {
  double clip = 0.0;          ///< bound of the norm of a robot's update of weights; 0: none
  double clip_moments = 0.0;  ///< the same of moments, which are means over its samples
  double epsilon = 0.0;       ///< that the whole run may spend; 0: no noise
  double delta = 1e-5;
  bool secure = false;  ///< sums by pairwise masks

  [[nodiscard]] bool any() const { return clip > 0.0 || clip_moments > 0.0 || epsilon > 0.0 || secure; }
};

/// Reads "privacy.*". ConfigError for noise without a bound.
[[nodiscard]] PrivacyOptions read_privacy(SettingsReader& settings);

/// The least delta for which `sums` Gaussian mechanisms with noise `noise` times their sensitivity are together
/// (epsilon, delta)-differentially private (Balle and Wang, 2018, Theorem 8, for the composition as one mechanism).
[[nodiscard]] double gaussian_delta(double epsilon, double noise, double sums);
/// The least noise that gives (epsilon, delta).
[[nodiscard]] double gaussian_noise(double epsilon, double delta, double sums);

/// A robot of this rank with what it adds to a sum.
struct PrivateTerm {
  int robot = 0;
  std::vector<double> values;
};

/// The sums of one merge, in their order. On every rank alike.
class PrivateSums {
 public:
  /// Of a run that takes `all_sums` sums, among them the merge's; `seed` and `round` name the streams. Updates of
  /// weights are differences from `center`, which all know.
  PrivateSums(const PrivacyOptions& options, int all_sums, std::uint64_t seed, int round, std::vector<int> participants,
              const ParamVector& center);

  /// result = the sum of the terms, of this rank's participants in ascending order, equally long, each shortened to
  /// `bound` (0: as it is). With masks: in fixed point, the same bits in whatever order. Collective. Error for numbers
  /// that fixed point cannot hold.
  void add_up(std::vector<PrivateTerm> terms, double bound, std::span<double> result, const Comm& comm);

  [[nodiscard]] const PrivacyOptions& options() const { return options_; }
  [[nodiscard]] const ParamVector& center() const { return center_; }
  /// In units of the bounds.
  [[nodiscard]] double noise() const { return noise_; }
  /// So far.
  [[nodiscard]] int taken() const { return sums_; }

 private:
  /// In units of the last place: 2^-32, of numbers below 2^31.
  [[nodiscard]] std::vector<std::uint64_t> masked(const PrivateTerm& term) const;

  const PrivacyOptions options_;
  double noise_;
  std::uint64_t seed_;
  int round_;
  std::vector<int> participants_;
  const ParamVector& center_;
  int sums_ = 0;
};

}  // namespace fleet
