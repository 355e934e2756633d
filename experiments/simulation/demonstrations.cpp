#include "simulation/demonstrations.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "simulation/minari.hpp"

namespace fleet::simulation {
namespace {

constexpr const char* kEpisode = "episode_";
constexpr const char* kTask = "task";  // attribute of an episode
constexpr const char* kProgram = "fleet ";
constexpr const char* kCommand = " demos";
constexpr std::array kProvenance = {"dataset_id", "engine", "generator", "noise", "scenes", "seed", "sight", "tasks"};

void write_episode(Hdf5Writer& file, std::size_t index, const Demonstration& episode, const Sizes& sizes) {
  const std::string group = cat("episode_", index);
  const std::size_t steps = episode.steps();
  const auto write = [&](const char* name, std::span<const float> values, std::initializer_list<std::size_t> shape) {
    file.write_array(cat(group, "/", name), values, std::span(shape.begin(), shape.size()));
  };
  write("observations", episode.observations, {steps + 1, sizes.observation});
  write("actions", episode.actions, {steps, sizes.action});
  write("rewards", episode.rewards, {steps});
  std::vector<std::uint8_t> flags(steps, 0);
  flags.back() = episode.ended ? 1 : 0;
  file.write_flags(group + "/terminations", flags);
  flags.back() = episode.ended ? 0 : 1;
  file.write_flags(group + "/truncations", flags);
  file.write_attribute(group, "id", static_cast<std::int64_t>(index));
  file.write_attribute(group, "total_steps", static_cast<std::int64_t>(steps));
  file.write_attribute(group, kTask, episode.task);
  file.write_real_attribute(group, "noise", episode.noise);
  file.write_attribute(group, "attempts", std::int64_t{episode.attempts});
}

/// A dataset of this shape, finite; 0 stands for any number of rows.
std::vector<float> read_rows(const Hdf5Reader& file, const std::string& where, const std::string& name,
                             std::vector<std::size_t> expected) {
  require(file.has(name), where, " has no ", name, ": the file is cut short or was written by something else");
  require(!file.is_group(name), where, ": ", name,
          " is a group, as of a space of several parts; expected one array of numbers");
  std::vector<std::size_t> shape;
  std::vector<float> values = file.read_floats(name, shape);
  if (!shape.empty() && !expected.empty() && expected[0] == 0) expected[0] = shape[0];
  const auto text = [](const std::vector<std::size_t>& extents) {
    std::string joined;
    for (const std::size_t extent : extents) joined += cat(joined.empty() ? "" : " x ", extent);
    return joined;
  };
  require(shape == expected, where, ": ", name, " is ", text(shape), ", expected ", text(expected));
  require(std::ranges::all_of(values, [](float value) { return std::isfinite(value); }), where, ": ", name,
          " holds a number that is not finite");
  return values;
}

/// How many groups are called episode_K.
std::size_t count_episodes(const Hdf5Reader& file) {
  std::size_t count = 0;
  for (const std::string& name : file.names_in("/")) count += name.starts_with(kEpisode) ? 1 : 0;
  return count;
}

/// Error if the file or what lies beside it says otherwise.
void require_total(const Hdf5Reader& file, const char* name, std::optional<std::int64_t> beside, std::int64_t found) {
  const std::string where = file.path().string();
  if (file.has_attribute("/", name)) {
    const std::int64_t stated = file.read_integer_attribute("/", name);
    require(stated == found, where, " holds ", found, " ", name + 6, ", its header says ", stated,
            ": it is cut short or was written by something else");
  }
  require(!beside || *beside == found, where, " holds ", found, " ", name + 6, ", the metadata.json beside it says ",
          beside.value_or(0));
}

Demonstration read_episode(const Hdf5Reader& file, const std::string& where, const std::string& group,
                           const std::string& task, const Sizes& sizes) {
  Demonstration episode;
  episode.rewards = read_rows(file, where, group + "/rewards", {0});
  const std::size_t steps = episode.steps();
  require(steps > 0, where, ": ", group, " is empty");
  episode.actions = read_rows(file, where, group + "/actions", {steps, sizes.action});
  episode.observations = read_rows(file, where, group + "/observations", {steps + 1, sizes.observation});
  episode.ended = episode.rewards.back() > 0;
  const bool tells = file.has_attribute(group, kTask);
  require(tells || !task.empty(), where, ": ", group, " does not say which task it shows; an attribute ", kTask,
          ", say \"reach-v3\", is needed, or data.task = \"reach-v3\" for all that have none");
  episode.task = tells ? file.read_text_attribute(group, kTask) : task;
  if (file.is_own()) {
    episode.noise = file.read_real_attribute(group, "noise");
    episode.attempts = static_cast<int>(file.read_integer_attribute(group, "attempts"));
  }
  return episode;
}

}  // namespace

void write_demonstrations(const std::filesystem::path& path, const DemonstrationSet& set, const Sizes& sizes) {
  Hdf5Writer file(path);
  std::size_t steps = 0;
  for (std::size_t i = 0; i < set.episodes.size(); ++i) {
    write_episode(file, i, set.episodes[i], sizes);
    steps += set.episodes[i].steps();
  }
  file.write_attribute("/", "total_episodes", static_cast<std::int64_t>(set.episodes.size()));
  file.write_attribute("/", "total_steps", static_cast<std::int64_t>(steps));
  for (const auto& [name, text] : set.provenance) file.write_attribute("/", name, text);
  file.commit();
}

bool is_own_demonstrations(const std::filesystem::path& file) {
  try {
    const Hdf5Reader reader(file, Hdf5Reader::Origin::kAnywhere);
    if (!reader.has_attribute("/", "generator")) return false;
    const std::string generator = reader.read_text_attribute("/", "generator");
    return generator.starts_with(kProgram) && generator.ends_with(kCommand);
  } catch (const Error&) {
    return false;
  }
}

std::string generator_of(const Facts& facts) {
  return cat(kProgram, facts.name, kCommand);
}

DemonstrationSet read_demonstrations(const DemonstrationSource& source, const Sizes& sizes) {
  const std::filesystem::path path = minari_file(source.path);
  const Hdf5Reader file(path, Hdf5Reader::Origin::kAnywhere);
  const MinariTotals totals = read_minari_totals(path);
  const std::size_t count = count_episodes(file);
  require(count > 0, path.string(), " holds no demonstrations in Minari's layout: it has no group ", kEpisode, "0");
  require_total(file, "total_episodes", totals.episodes, static_cast<std::int64_t>(count));
  DemonstrationSet set;
  std::int64_t steps = 0;
  for (std::size_t i = 0; i < count; ++i) {
    set.episodes.push_back(read_episode(file, path.string(), cat(kEpisode, i), source.task, sizes));
    steps += static_cast<std::int64_t>(set.episodes.back().steps());
  }
  require_total(file, "total_steps", totals.steps, steps);
  for (const char* name : kProvenance) {
    if (file.is_own() && file.has_attribute("/", name))
      set.provenance.emplace(name, file.read_text_attribute("/", name));
  }
  return set;
}

std::optional<std::string> sight_of(const std::filesystem::path& path) {
  const Hdf5Reader file(minari_file(path), Hdf5Reader::Origin::kAnywhere);
  if (!file.is_own()) return std::nullopt;
  return file.has_attribute("/", "sight") ? file.read_text_attribute("/", "sight") : "";
}

bool tell_their_tasks(const std::filesystem::path& path) {
  const Hdf5Reader file(minari_file(path), Hdf5Reader::Origin::kAnywhere);
  const std::size_t count = count_episodes(file);
  for (std::size_t i = 0; i < count; ++i) {
    if (!file.has_attribute(cat(kEpisode, i), kTask)) return false;
  }
  return true;
}

}  // namespace fleet::simulation
