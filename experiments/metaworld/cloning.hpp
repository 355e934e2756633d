// Demonstrations as a regression problem: rows of observation and action, and the scaling of observations that a fleet
// agrees on without sharing any.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "metaworld/demonstrations.hpp"
#include "metaworld/task.hpp"
#include "train/workload.hpp"

namespace fleet::metaworld {

/// Every step of every demonstration. `labels` are what partition() mixes over robots.
struct CloningRows {
  std::vector<float> observations;   ///< rows x kObservationSize
  std::vector<float> actions;        ///< rows x kActionSize
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
[[nodiscard]] CloningRows rows_of(const DemonstrationSet& set);

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
/// task (id, as task_of() takes it) with fewer than two demonstrations; ConfigError for a demonstration that is shorter
/// than a window.
[[nodiscard]] CloningSplit split_windows(const CloningRows& rows, std::span<const int> tasks, double test, int window);

/// What a robot tells of its observations: their number, and per dimension their sum and sum of squares. Numbers to be
/// added up in the order of robots.
struct ObservationMoments {
  double count = 0;
  std::array<double, kObservationSize> sum{};
  std::array<double, kObservationSize> squares{};

  /// Adds rows of kObservationSize numbers.
  void add(std::span<const float> rows);
  void add(const ObservationMoments& other);
};

/// Observations to mean 0 and deviation 1, as the whole fleet's are: a scaling of each robot's own would differ between
/// the networks that are to be merged.
class ObservationScaling {
 public:
  /// Error without observations.
  explicit ObservationScaling(const ObservationMoments& fleet);
  /// As it was saved. Error unless they are what companions() gives.
  explicit ObservationScaling(const Companions& saved);
  /// "observation_mean" and "observation_factor", of kObservationSize numbers each.
  [[nodiscard]] Companions companions() const;
  /// Scales one observation: within +-10; 0 where the fleet has seen no variation.
  void apply(std::span<const float, kObservationSize> observation, std::span<float, kObservationSize> into) const;

 private:
  std::array<float, kObservationSize> mean_{};
  std::array<float, kObservationSize> factor_{};
};

}  // namespace fleet::metaworld
