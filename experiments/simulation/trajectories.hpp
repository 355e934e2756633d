// Recorded lives of several bodies, with rewards: what Decision Transformers learn from. Read from demonstrations of
// this program and of Minari (demonstrations.hpp), and from D4RL's flat files.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "simulation/demonstrations.hpp"
#include "simulation/suite.hpp"

namespace fleet::simulation {

/// Of a file by whichever program. D4RL's have observations, actions, rewards and terminals, a row a step, and often
/// timeouts: an episode ends where one of the last two is set or, without timeouts, after `longest` steps; one without
/// an end is left out. They do not tell what an episode comes to, so that its last state is given twice. Error naming
/// the file for what is missing, of another shape, or not finite, for actions beyond 1, and for a file without a whole
/// episode.
[[nodiscard]] DemonstrationSet read_recording(const DemonstrationSource& source, const Sizes& sizes, int longest);

/// Of all bodies, one after another, as every rank knows them: all but states and actions.
struct Trajectories {
  std::vector<Sizes> sizes;             ///< per body
  std::vector<std::int32_t> bodies;     ///< first row of each, then their number
  std::vector<std::int32_t> episodes;   ///< the same of each episode
  std::vector<std::int32_t> of_bodies;  ///< first episode of each body, then their number
  std::vector<float> to_go;             ///< per row, rewards from there to the episode's end
  std::string digest;                   ///< names all of it, states and actions included

  [[nodiscard]] std::size_t rows() const { return to_go.size(); }
  [[nodiscard]] std::size_t body_of(std::int32_t row) const;
  /// Its number within its episode, from 0.
  [[nodiscard]] std::int32_t step_of(std::int32_t row) const;
  /// Of all bodies' states and actions together.
  [[nodiscard]] Sizes total() const;
  /// Where a body's state and action begin among all bodies', side by side.
  [[nodiscard]] Sizes begin_of(std::size_t body) const;
  /// Return of an episode.
  [[nodiscard]] double episode_return(std::size_t episode) const {
    return to_go[static_cast<std::size_t>(episodes[episode])];
  }
};

/// Their numbers.
struct TrajectoryNumbers {
  std::span<const float> states;   ///< one body's rows after another's, each as long as its state
  std::span<const float> actions;  ///< rows x all bodies' actions, not a number where they are another body's
};

struct ReadTrajectories {
  Trajectories index;
  std::vector<float> states;
  std::vector<float> actions;
};
/// Of one file for each body, in their order. Error as of read_recording(), and where an episode is of another task or
/// longer than its body's are.
[[nodiscard]] ReadTrajectories read_trajectories(std::span<const DemonstrationSource> sources, const Suite& suite,
                                                 std::span<const int> tasks);

/// Rows of a body to learn from, known by the first of each window: of `window` rows within one episode, from each row
/// on that has so many. Episodes go to one side or the other as a whole.
struct TrajectorySplit {
  std::vector<std::int32_t> train;
  std::vector<std::int32_t> episodes;  ///< of `train`: which
  std::vector<std::int32_t> test;      ///< windows that follow one another
};
/// A share of `test` of the episodes that have a window, at least one, is tested on, drawn alike for every fleet with
/// task number `task`, the `body`-th of this one. Error where fewer than two have.
[[nodiscard]] TrajectorySplit split_trajectories(const Trajectories& all, std::size_t body, int task,
                                                 const std::string& name, double test, int window);

}  // namespace fleet::simulation
