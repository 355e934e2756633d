// Passing many samples through a network in bounded memory, sequences in order with their state carried. Seen only
// inside src/torch.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <vector>

#include "merge/merger.hpp"
#include "torch/objective.hpp"
#include "torch/place.hpp"
#include "torch/samples.hpp"

namespace fleet {

/// Samples that are visited side by side: `lanes` runs of `length` consecutive ones, of which the last may be short or
/// missing. At place p the visit sees the p-th of every run, so that state can be carried from place to place.
struct Lanes {
  /// `size` samples in `lanes` runs of equal length but for the last.
  Lanes(std::size_t size_, std::size_t lanes)
      : size(size_), length((size_ + std::max<std::size_t>(lanes, 1) - 1) / std::max<std::size_t>(lanes, 1)) {}

  std::size_t size;
  std::size_t length;

  /// The samples at place `p` < length; never more than at the place before.
  void pick(std::span<const std::int32_t> samples, std::size_t p, std::vector<std::int32_t>& picked) const {
    picked.clear();
    for (std::size_t i = p; i < size; i += length) picked.push_back(samples[i]);
  }
};

/// Recurrent state for as many lanes as are left of those it was made with.
void keep_lanes(std::vector<torch::Tensor>& state, std::int64_t lanes);

/// How a set of samples is visited.
struct VisitPlan {
  int at_once = 1000;     ///< samples in one pass
  std::size_t run = 1;    ///< consecutive samples through which state is carried; 1 carries none
  std::size_t every = 1;  ///< visit one of so many runs
  std::size_t first = 0;  ///< the first of them, below `every`
  Place place;            ///< where the network computes, and samples are loaded to
};
/// Windows through which evaluation carries state, where training does.
inline constexpr std::size_t kCarriedWindows = 20;
[[nodiscard]] VisitPlan visit_plan(const Network& network, bool carry_state, const Place& place);

/// Loads the samples part by part and calls `visit` for each; `first` where state starts from zero.
void visit_samples(std::span<const std::int32_t> samples, Samples& source, const VisitPlan& plan,
                   const std::function<void(bool first)>& visit);

/// One Score per metric of `objective`, of `network` at `weights`.
[[nodiscard]] std::vector<Score> score_samples(const Network& network, const Objective& objective,
                                               const ParamVector& weights, std::span<const std::int32_t> samples,
                                               Samples& source, const VisitPlan& plan);

/// MapMoments of `samples` (LocalData::map_moments), scaled up for the samples that the plan leaves out.
[[nodiscard]] MapMoments gather_moments(const Network& network, const ParamVector& features, const ParamVector& targets,
                                        std::size_t map, std::span<const std::int32_t> samples, Samples& source,
                                        const VisitPlan& plan);

/// OutputSums of `samples` (LocalData::output_sums), scaled up as well.
[[nodiscard]] OutputSums gather_outputs(const Network& network, const ParamVector& at, std::size_t map,
                                        std::span<const std::int32_t> samples, Samples& source, const VisitPlan& plan);

/// What enters the last map of `body`, with the targets.
[[nodiscard]] std::unique_ptr<HeadData> gather_head(const Network& network, std::shared_ptr<const Objective> objective,
                                                    const ParamVector& body, std::span<const std::int32_t> samples,
                                                    Samples& source, const VisitPlan& plan);

}  // namespace fleet
