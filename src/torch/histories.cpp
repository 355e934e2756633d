#include "torch/histories.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "torch/models.hpp"

namespace fleet {
namespace {

constexpr std::int64_t kRowsAtOnce = 8192;  // samples x steps of a part

struct Sequence {
  std::int64_t lane = 0;
  std::int32_t length = 0;
};

}  // namespace

Histories::Histories(const Network& network, const NetworkShape& shape)
    : sees_(shape.input != NetworkShape::Input::kSequence ? Sees::kStep
            : network.carries_state()                     ? Sees::kEpisode
                                                          : Sees::kWindow),
      features_(static_cast<std::size_t>(shape.inputs)),
      window_(shape.steps) {}

History Histories::of(std::span<const float> inputs, std::span<const std::int32_t> lengths,
                      std::span<const std::int32_t> steps) const {
  const auto width = static_cast<std::int64_t>(features_);
  const auto copy = [&](std::int32_t first, std::int32_t count, float* into) {
    const std::span<const float> rows =
        inputs.subspan(static_cast<std::size_t>(first) * features_, static_cast<std::size_t>(count) * features_);
    return std::ranges::copy(rows, into).out;
  };
  if (sees_ == Sees::kStep) {
    torch::Tensor rows = torch::empty({std::ssize(steps), width});
    auto* into = rows.data_ptr<float>();
    for (const std::int32_t step : steps) into = copy(step, 1, into);
    return {.inputs = rows, .steps = {}};
  }
  std::vector<std::int32_t> ends(lengths.size());
  std::inclusive_scan(lengths.begin(), lengths.end(), ends.begin());
  std::map<std::int32_t, Sequence> sequences;  // by their first steps
  std::vector<std::int32_t> firsts;            // of the sequence of each step
  for (const std::int32_t step : steps) {
    const auto episode = static_cast<std::size_t>(std::ranges::upper_bound(ends, step) - ends.begin());
    const std::int32_t begin = ends[episode] - lengths[episode];
    firsts.push_back(sees_ == Sees::kEpisode ? begin : std::max(begin, step + 1 - window_));
    Sequence& sequence = sequences[firsts.back()];
    sequence.length = std::max(sequence.length, step + 1 - firsts.back());
  }
  std::int64_t longest = 0;
  for (std::int64_t lane = 0; auto& [first, sequence] : sequences) {
    sequence.lane = lane++;
    longest = std::max<std::int64_t>(longest, sequence.length);
  }
  History history{.inputs = torch::zeros({std::ssize(sequences), longest, width}),
                  .steps = torch::empty({std::ssize(steps)}, torch::kInt64)};
  auto* into = history.inputs.data_ptr<float>();
  for (const auto& [first, sequence] : sequences) {
    (void)copy(first, sequence.length, into + sequence.lane * longest * width);
  }
  auto* places = history.steps.data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    places[i] = sequences[firsts[i]].lane * longest + steps[i] - firsts[i];
  }
  return history;
}

std::vector<Stretch> Histories::parts(std::span<const std::int32_t> lengths) const {
  const std::int32_t total = std::accumulate(lengths.begin(), lengths.end(), 0);
  if (sees_ == Sees::kStep) return {{.begin = 0, .count = total}};
  std::vector<Stretch> parts;
  if (sees_ == Sees::kWindow) {
    const auto most = static_cast<std::int32_t>(std::max<std::int64_t>(1, kRowsAtOnce / window_));
    for (std::int32_t begin = 0; begin < total; begin += most) {
      parts.push_back({.begin = begin, .count = std::min(most, total - begin)});
    }
    return parts;
  }
  std::int64_t lanes = 0;
  std::int64_t longest = 0;
  std::int32_t begin = 0;
  for (const std::int32_t length : lengths) {
    longest = std::max<std::int64_t>(longest, length);
    if (parts.empty() || (lanes + 1) * longest > kRowsAtOnce) {
      parts.push_back({.begin = begin, .count = 0});
      lanes = 0;
      longest = length;
    }
    ++lanes;
    parts.back().count += length;
    begin += length;
  }
  return parts;
}

}  // namespace fleet
