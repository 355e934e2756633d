#include "simulation/cloning.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/random.hpp"

namespace fleet::simulation {
namespace {

constexpr double kLeastDeviation = 0.02;  // a divisor no smaller: what hardly moves must not be blown up
constexpr double kConstant = 1e-5;        // a deviation that counts as none
constexpr std::size_t kMostTasks = std::numeric_limits<std::uint8_t>::max() + 1;
constexpr std::size_t kMostRows = std::numeric_limits<std::int32_t>::max();
constexpr const char* kMean = "observation_mean";
constexpr const char* kFactor = "observation_factor";

std::int32_t shortest(const CloningRows& rows) {
  auto steps = static_cast<std::int32_t>(rows.size());
  for (std::size_t i = 0; i < rows.starts.size(); ++i) steps = std::min(steps, rows.end_of(i) - rows.starts[i]);
  return steps;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

}  // namespace

std::string CloningRows::digest() const {
  const auto text = [](const auto& numbers) {
    const std::span<const std::byte> bytes = std::as_bytes(std::span(numbers));
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());  // NOLINT
  };
  Hash hash;
  hash.add(text(observations)).add(text(actions)).add(text(starts)).add(text(labels));
  for (const std::string& task : tasks) hash.add(task);
  return hash.hex();
}

CloningRows rows_of(const DemonstrationSet& set, const Sizes& sizes) {
  CloningRows rows;
  for (const Demonstration& episode : set.episodes) {
    auto task = std::ranges::find(rows.tasks, episode.task);
    if (task == rows.tasks.end()) {
      require(rows.tasks.size() < kMostTasks, "there are demonstrations of more than ", kMostTasks, " tasks");
      task = rows.tasks.insert(rows.tasks.end(), episode.task);
    }
    require(rows.size() + episode.steps() <= kMostRows, "there are more than ", kMostRows, " steps of demonstrations");
    rows.starts.push_back(static_cast<std::int32_t>(rows.labels.size()));
    const auto steps = static_cast<std::ptrdiff_t>(episode.steps());
    // Nothing is done in the last state.
    rows.observations.insert(rows.observations.end(), episode.observations.begin(),
                             episode.observations.begin() + steps * static_cast<std::ptrdiff_t>(sizes.observation));
    rows.actions.insert(rows.actions.end(), episode.actions.begin(), episode.actions.end());
    rows.labels.insert(rows.labels.end(), episode.steps(), static_cast<std::uint8_t>(task - rows.tasks.begin()));
  }
  return rows;
}

CloningSplit split_windows(const CloningRows& rows, const Suite& suite, std::span<const int> tasks, double test,
                           int window) {
  CloningSplit split;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const std::string name = suite.label(tasks[t]);
    std::vector<std::size_t> demonstrations;
    for (std::size_t i = 0; i < rows.starts.size(); ++i) {
      if (rows.tasks[rows.labels[static_cast<std::size_t>(rows.starts[i])]] == name) demonstrations.push_back(i);
    }
    require(demonstrations.size() >= 2, "there are ", demonstrations.size(), " demonstrations of ", name,
            ", and at least two are needed: one to learn from, one to be tested on; there are some of ",
            listed(rows.tasks), "; data.tasks says which are to be learned");
    const auto size = static_cast<double>(demonstrations.size());
    RandomStream stream(0, Purpose::kTestSplit, static_cast<std::uint64_t>(tasks[t]));
    stream.shuffle(std::span(demonstrations));
    const auto tested = static_cast<std::size_t>(std::clamp(std::round(test * size), 1.0, size - 1.0));
    std::vector<std::int32_t>& test_windows = split.test.emplace_back();
    for (std::size_t i = 0; i < demonstrations.size(); ++i) {
      const std::int32_t begin = rows.starts[demonstrations[i]];
      const std::int32_t end = rows.end_of(demonstrations[i]);
      if (end - begin < window) {
        throw ConfigError(cat("windows of ", window, " steps are longer than demonstration ", demonstrations[i],
                              ", of ", name, ", which has ", end - begin, " steps; the shortest has ", shortest(rows)));
      }
      std::vector<std::int32_t>& side = i + tested < demonstrations.size() ? split.train : test_windows;
      for (std::int32_t row = begin; row < end; row += window) side.push_back(std::min(row, end - window));
      split.demonstrations.resize(split.train.size(), static_cast<std::int32_t>(demonstrations[i]));
    }
    split.labels.resize(split.train.size(), static_cast<std::uint8_t>(t));
  }
  return split;
}

void ObservationMoments::add(std::span<const float> rows) {
  const std::size_t size = sum.size();
  for (std::size_t at = 0; at < rows.size(); at += size) {
    ++count;
    for (std::size_t i = 0; i < size; ++i) {
      const double value = rows[at + i];
      sum[i] += value;
      squares[i] += value * value;
    }
  }
}

void ObservationMoments::add(const ObservationMoments& other) {
  count += other.count;
  for (std::size_t i = 0; i < sum.size(); ++i) {
    sum[i] += other.sum[i];
    squares[i] += other.squares[i];
  }
}

ObservationScaling::ObservationScaling(const ObservationMoments& fleet, const Cloud& cloud)
    : mean_(fleet.sum.size()), factor_(fleet.sum.size()) {
  require(fleet.count > 0, "there are no observations to scale by");
  const auto scale = [&](std::size_t i, double sum, double squares, double count) {
    const double mean = sum / count;
    const double deviation = std::sqrt(std::max(0.0, squares / count - mean * mean));
    mean_[i] = static_cast<float>(mean);
    factor_[i] = deviation < kConstant ? 0 : static_cast<float>(1 / std::max(deviation, kLeastDeviation));
  };
  for (std::size_t number = 0; number < cloud.numbers; ++number) {
    double sum = 0;
    double squares = 0;
    for (std::size_t p = 0; p < cloud.points; ++p) {
      sum += fleet.sum[p * cloud.numbers + number];
      squares += fleet.squares[p * cloud.numbers + number];
    }
    for (std::size_t p = 0; p < cloud.points; ++p) {
      scale(p * cloud.numbers + number, sum, squares, fleet.count * static_cast<double>(cloud.points));
    }
  }
  for (std::size_t i = cloud.points * cloud.numbers; i < mean_.size(); ++i) {
    scale(i, fleet.sum[i], fleet.squares[i], fleet.count);
  }
}

ObservationScaling::ObservationScaling(const Companions& saved, std::size_t size) {
  const auto take = [&](const char* name, std::vector<float>& into) {
    const auto found = saved.find(name);
    require(found != saved.end() && found->second.size() == size, "it holds no ", name, " of ", size,
            " numbers, by which a policy's observations are scaled");
    into.assign(found->second.begin(), found->second.end());
  };
  take(kMean, mean_);
  take(kFactor, factor_);
}

Companions ObservationScaling::companions() const {
  return {{kMean, {mean_.begin(), mean_.end()}}, {kFactor, {factor_.begin(), factor_.end()}}};
}

void ObservationScaling::apply(std::span<const float> observation, std::span<float> into) const {
  for (std::size_t i = 0; i < mean_.size(); ++i) {
    into[i] = std::clamp((observation[i] - mean_[i]) * factor_[i], -largest_, largest_);
  }
}

}  // namespace fleet::simulation
