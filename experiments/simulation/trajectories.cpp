#include "simulation/trajectories.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "base/random.hpp"
#include "io/hdf5.hpp"
#include "simulation/minari.hpp"

namespace fleet::simulation {
namespace {

constexpr float kStrongest = 1.001F;  // of recorded actions

/// Error unless an array of `file` has `columns` numbers a row; with one, those without a second extent are as good.
/// `rows` becomes how many there are, and must agree if they are known.
void check_shape(const Hdf5Reader& file, const std::string& name, std::vector<std::size_t> shape, std::size_t columns,
                 std::optional<std::size_t>& rows) {
  if (shape.size() == 1 && columns == 1) shape.push_back(1);
  const bool fits = shape.size() == 2 && shape[1] == columns && (!rows || shape[0] == *rows);
  std::string text;
  for (const std::size_t extent : shape) text += cat(text.empty() ? "" : " x ", extent);
  require(fits, file.path().string(), ": ", name, " is ", text, ", expected ", rows ? cat(*rows) : "N", " x ", columns);
  rows = shape[0];
}

void require_there(const Hdf5Reader& file, const std::string& name) {
  require(file.has(name), file.path().string(), " has no ", name, ", which files in D4RL's layout have");
}

std::vector<float> read_column(const Hdf5Reader& file, const std::string& name, std::size_t columns,
                               std::optional<std::size_t>& rows) {
  require_there(file, name);
  std::vector<std::size_t> shape;
  std::vector<float> values = file.read_floats(name, shape);
  check_shape(file, name, shape, columns, rows);
  return values;
}

std::vector<std::uint8_t> read_ends(const Hdf5Reader& file, const std::string& name, std::optional<std::size_t>& rows) {
  require_there(file, name);
  std::vector<std::size_t> shape;
  std::vector<std::uint8_t> values = file.read_flags(name, shape);
  check_shape(file, name, shape, 1, rows);
  return values;
}

DemonstrationSet read_d4rl(const Hdf5Reader& file, const std::string& task, const Sizes& sizes, int longest) {
  const std::string where = file.path().string();
  std::optional<std::size_t> rows;
  const std::vector<float> states = read_column(file, "observations", sizes.observation, rows);
  const std::vector<float> actions = read_column(file, "actions", sizes.action, rows);
  require(file.has("rewards"), where, " has no rewards, and nothing can be learned from their sums");
  const std::vector<float> rewards = read_column(file, "rewards", 1, rows);
  const std::vector<std::uint8_t> ends = read_ends(file, "terminals", rows);
  std::vector<std::uint8_t> cuts;
  if (file.has("timeouts")) cuts = read_ends(file, "timeouts", rows);
  DemonstrationSet set;
  std::size_t begin = 0;
  for (std::size_t row = 0; row < rewards.size(); ++row) {
    const bool ended = ends[row] != 0;
    const bool cut = cuts.empty() ? row + 1 - begin == static_cast<std::size_t>(longest) : cuts[row] != 0;
    if (!ended && !cut) continue;
    const auto rows_of = [&](const std::vector<float>& all, std::size_t width) {
      return std::vector<float>(all.begin() + static_cast<std::ptrdiff_t>(begin * width),
                                all.begin() + static_cast<std::ptrdiff_t>((row + 1) * width));
    };
    Demonstration& episode = set.episodes.emplace_back();
    episode.task = task;
    episode.observations = rows_of(states, sizes.observation);
    const std::vector<float> last(episode.observations.end() - static_cast<std::ptrdiff_t>(sizes.observation),
                                  episode.observations.end());
    episode.observations.insert(episode.observations.end(), last.begin(), last.end());
    episode.actions = rows_of(actions, sizes.action);
    episode.rewards = rows_of(rewards, 1);
    episode.ended = ended;
    begin = row + 1;
  }
  return set;
}

bool is_flat(const Hdf5Reader& file) {
  return file.has("observations") && !file.is_group("observations");
}

std::string_view bytes_of(std::span<const float> numbers) {
  const std::span<const std::byte> bytes = std::as_bytes(numbers);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};  // NOLINT
}

/// The last of the ascending `begins` that is not above `row`; behind them stands their end.
std::size_t place_in(std::span<const std::int32_t> begins, std::int32_t row) {
  const auto after = std::upper_bound(begins.begin(), begins.end() - 1, row);
  return static_cast<std::size_t>(after - begins.begin()) - 1;
}

}  // namespace

DemonstrationSet read_recording(const DemonstrationSource& source, const Sizes& sizes, int longest) {
  const std::filesystem::path path = minari_file(source.path);
  const Hdf5Reader file(path, Hdf5Reader::Origin::kAnywhere);
  DemonstrationSet set =
      is_flat(file) ? read_d4rl(file, source.task, sizes, longest) : read_demonstrations(source, sizes);
  require(!set.episodes.empty(), path.string(), " holds no whole episode");
  for (std::size_t i = 0; i < set.episodes.size(); ++i) {
    const Demonstration& episode = set.episodes[i];
    for (const std::vector<float>* numbers : {&episode.observations, &episode.actions, &episode.rewards}) {
      require(std::ranges::all_of(*numbers, [](float value) { return std::isfinite(value); }), path.string(),
              ": episode ", i, " holds a number that is not finite");
    }
    const auto too_strong = [](float value) { return std::abs(value) > kStrongest; };
    require(std::ranges::none_of(episode.actions, too_strong), path.string(), ": episode ", i,
            " holds an action beyond [-1, 1]");
  }
  return set;
}

std::size_t Trajectories::body_of(std::int32_t row) const {
  return place_in(bodies, row);
}

std::int32_t Trajectories::step_of(std::int32_t row) const {
  return row - episodes[place_in(episodes, row)];
}

Sizes Trajectories::total() const {
  return begin_of(sizes.size());
}

Sizes Trajectories::begin_of(std::size_t body) const {
  Sizes begin;
  for (std::size_t b = 0; b < body; ++b) {
    begin.observation += sizes[b].observation;
    begin.action += sizes[b].action;
  }
  return begin;
}

ReadTrajectories read_trajectories(std::span<const DemonstrationSource> sources, const Suite& suite,
                                   std::span<const int> tasks) {
  ReadTrajectories read;
  Trajectories& all = read.index;
  for (const int task : tasks) all.sizes.push_back(suite.sizes(task));
  const std::size_t width = all.total().action;
  constexpr auto kMostRows = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  for (std::size_t b = 0; b < tasks.size(); ++b) {
    const Sizes& sizes = all.sizes[b];
    const std::size_t place = all.begin_of(b).action;
    all.bodies.push_back(static_cast<std::int32_t>(all.rows()));
    all.of_bodies.push_back(static_cast<std::int32_t>(all.episodes.size()));
    const int longest = suite.task(tasks[b]).steps;
    for (const Demonstration& episode : read_recording(sources[b], sizes, longest).episodes) {
      const std::string where = sources[b].string();
      require(episode.task == suite.label(tasks[b]), where, " holds an episode of ", episode.task, "; expected ",
              suite.label(tasks[b]));
      require(std::cmp_less_equal(episode.steps(), longest), where, " holds an episode of ", episode.steps(),
              " steps; those of ", suite.task(tasks[b]).name, " have at most ", longest);
      require(all.rows() + episode.steps() <= kMostRows, where, ": there are more than ", kMostRows, " steps");
      all.episodes.push_back(static_cast<std::int32_t>(all.rows()));
      const auto steps = static_cast<std::ptrdiff_t>(episode.steps());
      read.states.insert(read.states.end(), episode.observations.begin(),
                         episode.observations.begin() + steps * static_cast<std::ptrdiff_t>(sizes.observation));
      for (std::size_t step = 0; step < episode.steps(); ++step) {
        const std::size_t row = read.actions.size();
        read.actions.resize(row + width, std::numeric_limits<float>::quiet_NaN());
        std::copy_n(episode.actions.begin() + static_cast<std::ptrdiff_t>(step * sizes.action), sizes.action,
                    read.actions.begin() + static_cast<std::ptrdiff_t>(row + place));
      }
      std::vector<float> to_go(episode.steps());
      double sum = 0.0;
      for (std::size_t step = episode.steps(); step-- > 0;) {
        sum += static_cast<double>(episode.rewards[step]);
        to_go[step] = static_cast<float>(sum);
      }
      all.to_go.insert(all.to_go.end(), to_go.begin(), to_go.end());
    }
  }
  all.bodies.push_back(static_cast<std::int32_t>(all.rows()));
  all.of_bodies.push_back(static_cast<std::int32_t>(all.episodes.size()));
  all.episodes.push_back(static_cast<std::int32_t>(all.rows()));
  Hash digest;
  digest.add(bytes_of(read.states)).add(bytes_of(read.actions)).add(bytes_of(all.to_go));
  for (const std::int32_t begin : all.episodes) digest.add(begin);
  for (const int task : tasks) digest.add(suite.label(task));
  digest.add("tests by task");  // earlier versions drew them by the task's place
  all.digest = digest.hex();
  return read;
}

TrajectorySplit split_trajectories(const Trajectories& all, std::size_t body, int task, const std::string& name,
                                   double test, int window) {
  std::vector<std::int32_t> long_enough;
  for (std::int32_t e = all.of_bodies[body]; e < all.of_bodies[body + 1]; ++e) {
    const auto place = static_cast<std::size_t>(e);
    if (all.episodes[place + 1] - all.episodes[place] >= window) long_enough.push_back(e);
  }
  require(long_enough.size() >= 2, "there are ", long_enough.size(), " episodes of ", name, " with ", window,
          " steps or more, and at least two are needed: one to learn from, one to be tested on");
  RandomStream stream(0, Purpose::kTestSplit, static_cast<std::uint64_t>(task));
  stream.shuffle(std::span(long_enough));
  const auto size = static_cast<double>(long_enough.size());
  const auto tested = static_cast<std::size_t>(std::clamp(std::round(test * size), 1.0, size - 1.0));
  TrajectorySplit split;
  for (std::size_t i = 0; i < long_enough.size(); ++i) {
    const auto episode = static_cast<std::size_t>(long_enough[i]);
    const bool is_test = i + tested >= long_enough.size();
    const std::int32_t last = all.episodes[episode + 1] - window;
    for (std::int32_t row = all.episodes[episode]; row <= last; row += is_test ? window : 1) {
      (is_test ? split.test : split.train).push_back(row);
    }
    split.episodes.resize(split.train.size(), long_enough[i]);
  }
  return split;
}

}  // namespace fleet::simulation
