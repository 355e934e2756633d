// Episodes of an environment that a test makes up.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "torch/online.hpp"

namespace fleet {

/// What it does depends on the episode's number, the step and the last action alone.
struct Pretended {
  std::size_t features = 1;
  std::size_t actions = 1;
  std::function<int(std::uint64_t number)> length;
  /// What is seen at a step, after `done`: zeros at the first.
  std::function<void(std::uint64_t number, int step, std::span<const float> done, std::span<float> seen)> see;
  std::function<float(std::uint64_t number, int step, std::span<const float> action)> reward;
  bool cut = false;  ///< episodes are cut off, they do not end

  /// As Play does. Of an episode that is over, what was seen last is seen again.
  [[nodiscard]] std::vector<Played> play(std::uint64_t first, int count, const Act& act) const {
    const auto lanes = static_cast<std::size_t>(count);
    std::vector<Played> played(lanes);
    std::vector<float> seen(lanes * features);
    std::vector<float> done(lanes * actions);
    const auto row = [](std::vector<float>& of, std::size_t lane, std::size_t size) {
      return std::span(of).subspan(lane * size, size);
    };
    const auto over = [&](std::size_t lane, int step) { return step >= length(first + lane); };
    for (int step = 0;; ++step) {
      bool all_over = true;
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        if (over(lane, step)) continue;
        all_over = false;
        see(first + lane, step, row(done, lane, actions), row(seen, lane, features));
      }
      if (all_over) return played;
      std::vector<float> action(lanes * actions);
      act(seen, action);
      for (std::size_t lane = 0; lane < lanes; ++lane) {
        if (over(lane, step)) continue;
        std::ranges::copy(row(action, lane, actions), row(done, lane, actions).begin());
        played[lane].rewards.push_back(reward(first + lane, step, row(action, lane, actions)));
        if (!cut || !over(lane, step + 1)) continue;
        played[lane].beyond.resize(features);
        see(first + lane, step + 1, row(done, lane, actions), played[lane].beyond);
      }
    }
  }
};

}  // namespace fleet
