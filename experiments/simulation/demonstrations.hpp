// Demonstrations on disk, in the layout of Minari's datasets, so that Python tools read and write them:
// episode_K/observations (steps + 1 rows), actions, rewards, terminations, truncations (steps rows each), and
// attributes. Of others' files the flags are not looked at. How many episodes and steps there are, total_episodes and
// total_steps, may be said by the file or by Minari's metadata.json beside it, and must then be so. Each episode has an
// attribute task, or the reader is told.
//
// Knows nothing of simulators.
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "io/replaceable.hpp"
#include "simulation/suite.hpp"

namespace fleet::simulation {

/// An expert's episode: ends when the task is done, or is cut short after the last step.
struct Demonstration {
  std::string task;                 ///< "reach-v3"
  std::vector<float> observations;  ///< (steps + 1) x observation
  std::vector<float> actions;       ///< steps x action, what the expert wanted, clipped to [-1, 1]
  std::vector<float> rewards;       ///< steps: where success is all that counts, 1 where the task is done, else 0
  bool ended = false;               ///< by the task that is done, or a fall, rather than by time
  double noise = 0;                 ///< deviation of what was added to the actions when they were carried out, if known
  int attempts = 1;                 ///< this one and the failures before it

  [[nodiscard]] std::size_t steps() const { return rewards.size(); }
};

struct DemonstrationSet {
  std::vector<Demonstration> episodes;
  std::map<std::string, std::string> provenance;  ///< attributes of the file, if it is of this program
};

/// Error if the file cannot be written; it appears complete or not at all.
void write_demonstrations(const std::filesystem::path& path, const DemonstrationSet& set, const Sizes& sizes);

/// Whether the command demos of a world has written the file, also if other programs have opened it for writing since.
[[nodiscard]] bool is_own_demonstrations(const std::filesystem::path& file);
/// The attribute of a file that says so: "fleet metaworld demos".
[[nodiscard]] std::string generator_of(const Facts& facts);
inline constexpr FileKind kDemonstrationsFile{"file of demonstrations", is_own_demonstrations};

/// Where demonstrations are: an HDF5 file, or a dataset of Minari (minari.hpp).
struct DemonstrationSource {
  std::filesystem::path path;
  std::string task = {};  ///< of episodes that do not say it, "reach-v3"; "" where all do

  [[nodiscard]] std::string string() const { return path.string(); }
  auto operator<=>(const DemonstrationSource&) const = default;
};

/// Of any program's. Error naming file and episode for what is missing, cut short, of another shape or not finite.
[[nodiscard]] DemonstrationSet read_demonstrations(const DemonstrationSource& source, const Sizes& sizes);

/// Suite::sight() of those who recorded the file with this program; nothing of others' files. Error if it cannot be
/// read.
[[nodiscard]] std::optional<std::string> sight_of(const std::filesystem::path& path);

/// Whether every episode says which task it shows. Error if the file cannot be read.
[[nodiscard]] bool tell_their_tasks(const std::filesystem::path& path);

}  // namespace fleet::simulation
