#include "torch/feature_statistics.hpp"

#include <algorithm>

namespace fleet {

void FeatureStatistics::see(std::span<const float> rows) {
  for (std::size_t at = 0; at < rows.size(); at += sums_.size()) {
    ++seen_;
    for (std::size_t i = 0; i < sums_.size(); ++i) {
      const auto value = static_cast<double>(rows[at + i]);
      sums_[i] += value;
      squares_[i] += value * value;
    }
  }
}

double FeatureStatistics::variance(std::size_t feature) const {
  return std::max(0.0, squares_[feature] / seen_ - mean(feature) * mean(feature));
}

bool FeatureStatistics::varies(std::size_t feature) const {
  constexpr double kRounding = 1e-10;  // of squares that are summed up a million times
  return variance(feature) > 1e-12 + kRounding * mean(feature) * mean(feature);
}

void FeatureStatistics::save(StateWriter& state) const {
  state.write(seen_);
  state.write_all(std::span(sums_));
  state.write_all(std::span(squares_));
}

void FeatureStatistics::load(StateReader& state) {
  seen_ = state.read<double>();
  state.read_into(std::span(sums_));
  state.read_into(std::span(squares_));
}

}  // namespace fleet
