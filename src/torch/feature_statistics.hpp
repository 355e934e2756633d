// Mean and variance of each feature over all that a robot has seen. Seen only inside src/torch.
#pragma once

#include <span>
#include <vector>

#include "base/state.hpp"

namespace fleet {

class FeatureStatistics {
 public:
  explicit FeatureStatistics(std::size_t features) : sums_(features), squares_(features) {}

  /// Rows x features.
  void see(std::span<const float> rows);
  [[nodiscard]] bool empty() const { return seen_ == 0.0; }
  [[nodiscard]] std::size_t size() const { return sums_.size(); }
  /// Only where something has been seen.
  [[nodiscard]] double mean(std::size_t feature) const { return sums_[feature] / seen_; }
  [[nodiscard]] double variance(std::size_t feature) const;
  /// Whether the feature has varied by more than rounding.
  [[nodiscard]] bool varies(std::size_t feature) const;

  void save(StateWriter& state) const;
  void load(StateReader& state);

 private:
  double seen_ = 0.0;
  std::vector<double> sums_;
  std::vector<double> squares_;
};

}  // namespace fleet
