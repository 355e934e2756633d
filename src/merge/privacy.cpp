#include "merge/privacy.hpp"

#include <cmath>

#include "base/error.hpp"
#include "base/random.hpp"

namespace fleet {
namespace {

constexpr double kFixedPoint = 0x1p32;

double log_normal_cdf(double x) {
  if (x > -30.0) return std::log(0.5 * std::erfc(-x / std::sqrt(2.0)));
  const double z = -x;  // Abramowitz and Stegun, 26.2.12
  return -0.5 * z * z - std::log(z * std::sqrt(2.0 * 3.14159265358979323846)) + std::log1p(-1.0 / (z * z));
}

double norm_of(std::span<const double> values) {
  double square = 0.0;
  for (const double value : values) square += value * value;
  return std::sqrt(square);
}

}  // namespace

PrivacyOptions read_privacy(SettingsReader& settings) {
  PrivacyOptions options;
  settings.read("privacy.clip", options.clip, at_least(0),
                "Bound of the norm of a robot's update of the weights; 0: none, and no privacy.");
  settings.read("privacy.clip_moments", options.clip_moments, at_least(0),
                "Bound of the norm of a robot's mean moments.");
  settings.read("privacy.epsilon", options.epsilon, between(0, 100),
                "What the whole run may spend of differential privacy, for each robot; 0: no noise.");
  settings.read("privacy.delta", options.delta, {.low = 0, .high = 0.5, .open_low = true},
                "The probability with which epsilon may be exceeded.");
  settings.read("privacy.secure", options.secure,
                "Whether sums over robots are taken by pairwise masks, in fixed point.");
  if (options.clip_moments == 0.0) options.clip_moments = options.clip;
  if (options.epsilon > 0.0 && options.clip == 0.0) {
    reject("privacy.epsilon", settings.resolved().at("privacy.epsilon"),
           "noise hides a robot whose updates have a bound; set privacy.clip, say to 1");
  }
  return options;
}

double gaussian_delta(double epsilon, double noise, double sums) {
  const double mu = std::sqrt(sums) / noise;
  const double above = log_normal_cdf(0.5 * mu - epsilon / mu);
  const double below = epsilon + log_normal_cdf(-0.5 * mu - epsilon / mu);
  return above > below ? std::exp(above) * -std::expm1(below - above) : 0.0;
}

double gaussian_noise(double epsilon, double delta, double sums) {
  double low = 1e-6;
  double high = 1.0;
  while (gaussian_delta(epsilon, high, sums) > delta) high *= 2.0;
  while (high - low > 1e-12 * high) {
    const double middle = 0.5 * (low + high);
    (gaussian_delta(epsilon, middle, sums) > delta ? low : high) = middle;
  }
  return high;
}

PrivateSums::PrivateSums(const PrivacyOptions& options, int all_sums, std::uint64_t seed, int round,
                         std::vector<int> participants, const ParamVector& center)
    : options_(options),
      noise_(options.epsilon > 0.0 ? gaussian_noise(options.epsilon, options.delta, all_sums) : 0.0),
      seed_(seed),
      round_(round),
      participants_(std::move(participants)),
      center_(center) {}

void PrivateSums::add_up(std::vector<PrivateTerm> terms, double bound, std::span<double> result, const Comm& comm) {
  comm.together([&] {
    for (PrivateTerm& term : terms) {
      const double norm = norm_of(term.values);
      require(std::isfinite(norm), "robot ", term.robot, ": what it adds to a private sum is not finite");
      const double factor = bound > 0.0 && norm > bound ? bound / norm : 1.0;
      // Robots' shares of the noise: their sum is of the size that is wanted.
      const double deviation = noise_ * bound / std::sqrt(static_cast<double>(participants_.size()));
      RandomStream stream(seed_, Purpose::kPrivacyNoise, static_cast<std::uint64_t>(term.robot),
                          (static_cast<std::uint64_t>(round_) << 20U) + static_cast<std::uint64_t>(sums_));
      for (double& value : term.values) {
        value *= factor;
        if (deviation > 0.0) value += deviation * stream.normal();
      }
    }
  });
  if (!options_.secure) {
    std::vector<Comm::DoubleTerm> rows;
    for (const PrivateTerm& term : terms) rows.push_back({term.values, 1.0});
    comm.ordered_sum(rows, result);
  } else {
    std::vector<std::uint64_t> sum(result.size(), 0);
    comm.together([&] {
      for (const PrivateTerm& term : terms) {
        const std::vector<std::uint64_t> sent = masked(term);
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += sent[i];
      }
    });
    comm.wrapping_sum(sum);
    for (std::size_t i = 0; i < sum.size(); ++i) {
      result[i] = static_cast<double>(static_cast<std::int64_t>(sum[i])) / kFixedPoint;
    }
  }
  ++sums_;
}

std::vector<std::uint64_t> PrivateSums::masked(const PrivateTerm& term) const {
  const double largest = 0x1p31 / static_cast<double>(participants_.size());
  std::vector<std::uint64_t> sent;
  for (const double value : term.values) {
    require(std::abs(value) < largest, "robot ", term.robot, ": ", value,
            " is too large a number for a sum in fixed point, which holds less than ", largest, " a robot");
    sent.push_back(static_cast<std::uint64_t>(std::llround(value * kFixedPoint)));
  }
  for (const int other : participants_) {
    if (other == term.robot) continue;
    const auto [first, second] = std::minmax(term.robot, other);
    const std::uint64_t pair = (static_cast<std::uint64_t>(first) << 32U) + static_cast<std::uint64_t>(second);
    RandomStream stream(seed_, Purpose::kMask, pair,
                        (static_cast<std::uint64_t>(round_) << 20U) + static_cast<std::uint64_t>(sums_));
    for (std::uint64_t& number : sent) {
      const std::uint64_t high = stream();
      const std::uint64_t mask = (high << 32U) + stream();
      number += term.robot == first ? mask : 0U - mask;
    }
  }
  return sent;
}

}  // namespace fleet
