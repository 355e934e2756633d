// The seam between sweeps and what is swept: a world loads its data once per run and makes a Workload per cell.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/settings.hpp"
#include "comm/comm.hpp"
#include "model/affine_map.hpp"
#include "train/workload.hpp"

namespace fleet {

/// What planning needs to know of a cell.
struct CellFacts {
  std::int64_t parameters = 0;
  std::shared_ptr<const ParamLayout> layout = nullptr;           ///< of them, where they have names
  std::shared_ptr<const std::vector<AffineMap>> maps = nullptr;  ///< Workload::maps; none where it is no list of them
  std::int64_t train_samples = 0;                                ///< over all robots
  std::int64_t dataset_bytes = 0;                                ///< once per node
  GroupKind symmetry = GroupKind::kPermutation;                  ///< what may be done to the network's units
  /// What its robots can be asked: all but to try policies out, which takes a world to act in.
  Questions offers = Questions::all().without({Question::kTrials});
  bool joint = true;             ///< whether there is a robot with everybody's data
  bool moments = true;           ///< whether what optimisers remember can be carried over a merge
  bool savable = true;           ///< whether robots can be saved, and go on from there
  bool held_out = true;          ///< whether there are data that no robot trains on
  bool gathers = false;          ///< whether robots have no data but what they gather while they train
  bool gpu = false;              ///< whether ranks are to compute on their node's GPUs
  std::int64_t rank_bytes = 0;   ///< that a rank needs beside its robots
  std::int64_t robot_bytes = 0;  ///< that a robot needs beside its weights, such as data of its own
  std::string data;  ///< names all that is learned and tested from, by content, whatever it is called and wherever it
                     ///< lies: part of the identity
  std::vector<std::string> data_keys;  ///< settings that say where it lies, besides run.data: no part of the identity

  [[nodiscard]] bool has_layers() const { return maps != nullptr && !maps->empty(); }
  [[nodiscard]] bool has_norms() const { return has_layers() && has_batch_norm(*maps); }
};

class World {
 public:
  virtual ~World() = default;
  /// Reads every key of this world, and looks at all of its data, so that whatever is wrong with either is found before
  /// anything runs: a ConfigError, which names the setting. Not collective; cheap for data that were seen before.
  virtual CellFacts describe(SettingsReader& settings) = 0;
  /// Reads every key that describe() reads, but looks at no data, so that keys are known where those are not: it takes
  /// what is usual for what they would decide. Not collective.
  virtual void survey(SettingsReader& settings) { (void)describe(settings); }
  /// Loads, once per node, what any of the cells need; data that are not those described fail the cells. Collective
  /// over `run`.
  virtual void load(std::span<const Settings* const> cells, const Comm& run) = 0;
  /// The problem of one cell, loaded before. Not collective.
  [[nodiscard]] virtual std::unique_ptr<Workload> make(const Settings& cell) = 0;
};

struct Command;  // command/command.hpp

/// A row of the table of worlds.
struct WorldEntry {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<World> (*make)();
  std::span<const Command> (*commands)() = nullptr;  ///< that the world brings along, if any
  std::string_view start = {};  ///< of a configuration to begin with: TOML, without what its keys mean
};

}  // namespace fleet
