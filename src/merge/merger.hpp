// The seam between a fleet and the ways of merging it.
//
// Every rank of a group calls merge() with the weights of the robots it carries and a handle on each
// robot's own data. Weights and statistics cross ranks through Comm; data never does. A method is one
// .cpp file and one line in the table of merger_table.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/settings.hpp"
#include "comm/comm.hpp"
#include "model/param_layout.hpp"
#include "model/symmetry.hpp"

namespace fleet {

/// A sum of per-sample values with the number of samples, so that parts add up to a mean.
struct Score {
  double sum = 0.0;
  double samples = 0.0;
};

/// What a method may ask of one robot about the robot's own data, at weights that the method hands it.
class LocalData {
 public:
  virtual ~LocalData() = default;
  /// Mean loss over a batch drawn from the training shard by `stream`, and its gradient in `gradient`
  /// (overwritten). Samples are drawn uniformly with replacement.
  virtual double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) = 0;
  /// How well `at` does on the robot's held-out data, higher is better (accuracy, or minus a loss); the
  /// training data where none is held out.
  virtual Score held_out_score(const ParamVector& at) = 0;
};

/// One robot of this rank as a merger sees it.
struct MergeRow {
  int robot = 0;
  const ParamVector* weights = nullptr;
  double samples = 0.0;       ///< size of its training shard
  bool participates = false;  ///< in this round; other rows are neither merged nor asked anything
  LocalData* data = nullptr;
};

struct MergeInput {
  const SymmetrySpec* symmetry = nullptr;  ///< carries the layout
  std::vector<MergeRow> rows;              ///< this rank's robots, ascending; ranks hold ascending blocks
  std::vector<int> participants;           ///< of the whole fleet, ascending, at least one
  std::uint64_t seed = 0;                  ///< with `round`, names the random streams
  int round = 0;
};

struct MergeOutcome {
  ParamVector merged;                  ///< on every rank
  std::vector<GroupElement> elements;  ///< per row, what brought it into the common basis; may be empty
  int iterations = 0;
  std::vector<double> objective;  ///< the method's own measure of progress, one per iteration
};

class Merger {
 public:
  virtual ~Merger() = default;
  /// Collective. Error on every rank if any rank's part fails.
  [[nodiscard]] virtual MergeOutcome merge(const MergeInput& input, const Comm& comm) const = 0;
};

/// How a fleet trains: with a merger, or as one of the two reference lines.
enum class Regime {
  kMerge,
  kLocal,  ///< every robot on its own
  kJoint,  ///< one robot with everybody's data
};

/// A line of the table of methods.
struct MergerEntry {
  std::string_view name;
  std::string_view summary;
  Regime regime = Regime::kMerge;
  /// Reads its options from "merge.<name>.*"; nullptr where nothing is ever merged.
  std::unique_ptr<Merger> (*make)(SettingsReader& settings);
};

/// Every method, in the order they are listed to users.
[[nodiscard]] std::span<const MergerEntry> merger_table();
/// The entry called `name`; Error if there is none.
[[nodiscard]] const MergerEntry& find_merger(std::string_view name);

}  // namespace fleet
