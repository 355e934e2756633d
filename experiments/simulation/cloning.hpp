// Demonstrations as a regression problem: rows of observation and action, and the scaling of observations that a fleet
// agrees on without sharing any.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "simulation/demonstrations.hpp"
#include "simulation/suite.hpp"
#include "train/workload.hpp"

namespace fleet::simulation {

/// Every step of every demonstration. `labels` are what partition() mixes over robots.
struct CloningRows {
  std::vector<float> observations;   ///< rows x observation
  std::vector<float> actions;        ///< rows x action
  std::vector<std::uint8_t> labels;  ///< index into `tasks`
  std::vector<std::string> tasks;    ///< in the order of their first demonstration
  std::vector<std::int32_t> starts;  ///< first row of each demonstration
  [[nodiscard]] std::size_t size() const { return labels.size(); }
  /// A name for all of it: sixteen hexadecimal digits.
  [[nodiscard]] std::string digest() const;
  /// Behind the last row of a demonstration.
  [[nodiscard]] std::int32_t end_of(std::size_t demonstration) const {
    const std::size_t next = demonstration + 1;
    return next < starts.size() ? starts[next] : static_cast<std::int32_t>(size());
  }
};
[[nodiscard]] CloningRows rows_of(const DemonstrationSet& set, const Sizes& sizes);

/// Windows of consecutive rows to learn from and to be tested on, of some of the tasks, known by their first rows.
struct CloningSplit {
  std::vector<std::int32_t> train;
  std::vector<std::uint8_t> labels;             ///< of `train`: which of the tasks asked for
  std::vector<std::int32_t> demonstrations;     ///< of `train`: from which
  std::vector<std::vector<std::int32_t>> test;  ///< [task]
};
/// Whole demonstrations go to one side or the other, since the rows of one resemble each other: of each task a share of
/// `test` to be tested on, drawn alike for every fleet, at least one. Windows of `window` rows follow each other
/// through a demonstration; where its last row would be left out, the last window overlaps the one before. Error for a
/// task (an id of the suite's) with fewer than two demonstrations; ConfigError for a demonstration that is shorter than
/// a window.
[[nodiscard]] CloningSplit split_windows(const CloningRows& rows, const Suite& suite, std::span<const int> tasks,
                                         double test, int window);

/// What a robot tells of its observations: their number, and per dimension their sum and sum of squares. Numbers to be
/// added up in the order of robots.
struct ObservationMoments {
  /// Of observations of `size` numbers.
  explicit ObservationMoments(std::size_t size) : sum(size), squares(size) {}

  double count = 0;
  std::vector<double> sum;
  std::vector<double> squares;

  /// Adds whole observations.
  void add(std::span<const float> rows);
  void add(const ObservationMoments& other);
};

/// Observations to mean 0 and deviation 1, as the whole fleet's are: a scaling of each robot's own would differ between
/// the networks that are to be merged.
class ObservationScaling {
 public:
  /// All points of a cloud are scaled alike, number by number. Error without observations.
  explicit ObservationScaling(const ObservationMoments& fleet, const Cloud& cloud = {});
  /// None: observations of `size` numbers are seen as they are, without bounds.
  explicit ObservationScaling(std::size_t size)
      : mean_(size, 0.0F), factor_(size, 1.0F), largest_(std::numeric_limits<float>::infinity()) {}
  /// As it was saved, for observations of `size` numbers. Error unless they are what companions() gives.
  ObservationScaling(const Companions& saved, std::size_t size);
  /// "observation_mean" and "observation_factor", of as many numbers as an observation has each.
  [[nodiscard]] Companions companions() const;
  [[nodiscard]] std::size_t size() const { return mean_.size(); }
  /// Scales one observation: within +-10; 0 where the fleet has seen no variation.
  void apply(std::span<const float> observation, std::span<float> into) const;

 private:
  std::vector<float> mean_;
  std::vector<float> factor_;
  float largest_ = 10;  // deviations; what a robot has never seen must not drown the rest
};

}  // namespace fleet::simulation
