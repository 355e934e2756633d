// Random streams that depend on what they are for, never on which rank draws from them.
//
// A stream is named by (seed, purpose, robot, round) and is a counter run through Philox4x32-10
// (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011). Its distributions are our
// own, because those of the standard library differ between implementations.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace fleet {

/// What a stream is for. The values are part of the results' reproducibility: append, never renumber.
enum class Purpose : std::uint32_t {
  kPartition = 1,       ///< who gets which data
  kInitialization = 2,  ///< a robot's first weights
  kShuffle = 3,         ///< order of samples in a local epoch
  kParticipation = 4,   ///< which robots take part in a round
  kMerge = 5,           ///< decisions a merging method takes for the fleet
  kAlignment = 6,       ///< data and interpolation a robot draws while it is aligned
  kTest = 7,
  kMatching = 8,        ///< the order in which weight matching visits robots and groups
  kLocalSteps = 9,      ///< batches of the short rounds after a merge
  kCurvature = 10,      ///< targets drawn to estimate how a loss curves
  kPrivacyNoise = 11,   ///< a robot's share of the noise of a private sum
  kMask = 12,           ///< what a pair of robots hides its numbers by
  kVariation = 14,      ///< how the images that a robot trains on are varied
  kSystem = 20,         ///< a dynamical system drawn at random
  kDemonstration = 21,  ///< an expert's episode: what varies in it, and what disturbs it
  kRollout = 22,        ///< what varies in an episode under a policy
  kTestSplit = 23,      ///< which demonstrations are tested on
  kTrial = 24,          ///< what varies in an episode by which a robot tries a policy
  kEpisode = 25,        ///< what varies in an episode that a robot plays to learn from
  kExploration = 26,    ///< what a robot tries in such an episode
  kBody = 27,           ///< what differs between the bodies of robots
  kCritic = 28,  ///< the first weights of what a robot judges its own states by, and the order in which it learns
};

class RandomStream {
 public:
  using result_type = std::uint32_t;

  RandomStream(std::uint64_t seed, Purpose purpose, std::uint64_t robot = 0, std::uint64_t round = 0);

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return 0xffffffffU; }
  result_type operator()();

  /// Uniform in [0, 1), 53 random bits.
  double uniform();
  /// Uniform in {0, ..., bound - 1}; bound >= 1.
  std::uint64_t below(std::uint64_t bound);
  /// Standard normal (Box-Muller).
  double normal();
  /// log of a Gamma(shape, 1) variate (Marsaglia and Tsang, 2000); finite for every shape > 0, where
  /// the variate itself underflows.
  double log_gamma(double shape);
  /// A point of the simplex drawn from Dirichlet(alpha, ..., alpha), alpha > 0.
  std::vector<double> dirichlet(double alpha, std::size_t dimension);

  /// Fisher-Yates.
  template <class T>
  void shuffle(std::span<T> items) {
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }
  /// `count` distinct members of {0, ..., population - 1}, ascending.
  std::vector<int> sample(int population, int count);

 private:
  std::array<std::uint32_t, 2> key_{};
  std::array<std::uint32_t, 4> counter_{};  // words 0..1 count blocks, 2..3 belong to the stream's name
  std::array<std::uint32_t, 4> block_{};
  int used_ = 4;  // words of block_ already handed out
};

}  // namespace fleet
