// The seam between a fleet and the ways of merging it.
//
// Every rank of a group calls merge() with the weights of the robots it carries and a handle on each
// robot's own data. Weights and statistics cross ranks through Comm; data never does. A method is one
// .cpp file and one line in the table of merger_table.cpp.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/settings.hpp"
#include "base/state.hpp"
#include "comm/comm.hpp"
#include "merge/local_steps.hpp"
#include "merge/merge_cost.hpp"
#include "merge/questions.hpp"
#include "model/affine_map.hpp"
#include "model/param_layout.hpp"
#include "model/symmetry.hpp"

namespace fleet {

class KnownSums;
class PrivateSums;

/// A sum of per-sample values with the number of samples, so that parts add up to a mean.
struct Score {
  double sum = 0.0;
  double samples = 0.0;
};

/// Sums over a robot's samples that decide one affine map y = W x (AffineMap) by least squares: summed in double
/// precision. What single precision takes, in which most are sent, is the size of the smallest eigenvalues.
struct MapMoments {
  DoubleMatrix inputs;   ///< sum x x^T
  DoubleMatrix targets;  ///< sum t x^T
  double samples = 0.0;  ///< how many x: of a convolution every patch, of a sequence every step
};

/// Sums over the rows that leave an affine map, before any norm: per output, of its values and of their squares.
struct OutputSums {
  Eigen::VectorXd sum;
  Eigen::VectorXd squares;
  double rows = 0.0;
};

/// A robot's own samples as its network's last affine map sees them, the maps before it held fixed.
class HeadData {
 public:
  virtual ~HeadData() = default;
  /// Of the samples x that enter the map, towards labels (one-hot) or actions.
  [[nodiscard]] virtual MapMoments moments() const = 0;
  /// From now on the map sees L^-1 x of what it has seen so far; L is lower triangular (inputs x inputs).
  virtual void change_basis(const Eigen::MatrixXd& lower) = 0;
  /// Adds to `gradient` that of the summed loss with `head` (outputs x inputs) as the last map.
  virtual void add_gradient(const RowMatrix& head, RowMatrix& gradient) = 0;
  /// No second derivative of the loss with respect to a sample's outputs exceeds this: 1/2 for the cross-entropy of a
  /// softmax (Boehning, 1992), 1 for half the squared error.
  [[nodiscard]] virtual double curvature() const = 0;
  /// Whether the summed loss is curvature() / 2 times the sum of |W x - t|^2, so that moments() say all about it.
  [[nodiscard]] virtual bool is_quadratic() const { return false; }
};

/// What a method may ask of one robot about the robot's own data, at weights that the method hands it. Only the first
/// two need be there in every world; the others throw Error by default.
class LocalData {
 public:
  virtual ~LocalData() = default;
  /// Weights that it is handed from now on are in the basis that `element` brings the robot's own into; nullptr: in the
  /// robot's own. Of no consequence but where a part of the network is the robot's own, and must come along.
  virtual void enter_basis(const GroupElement* /*element*/) {}

  /// Mean loss over a batch drawn from the training shard by `stream`, and its gradient in `gradient`
  /// (overwritten). Samples are drawn uniformly with replacement.
  virtual double loss_gradient(const ParamVector& at, int batch, RandomStream& stream, ParamVector& gradient) = 0;
  /// How well `at` does on the robot's held-out data, higher is better (accuracy, or minus a loss); the
  /// training data where none is held out.
  virtual Score held_out_score(const ParamVector& at) = 0;

  /// Whether weights can be judged by what is held out: held_out_score() and held_out_loss() answer.
  [[nodiscard]] virtual bool judges() const { return true; }
  /// Whether the loss is a squared error, as that of imitated actions, whose curvature is the same everywhere.
  [[nodiscard]] virtual bool is_quadratic() const { return false; }
  /// The loss on the held-out data, or on the training data where none is held out.
  virtual Score held_out_loss(const ParamVector& at);
  /// Over the training shard: x is what enters map `map` of the network with weights `features`, t what leaves the same
  /// map of the network with weights `targets`, which may be the same object.
  virtual MapMoments map_moments(const ParamVector& features, const ParamVector& targets, std::size_t map);
  /// Over the training shard, of what leaves map `map`, one with a norm, in the network with weights `at`. Robots that
  /// answer map_moments() answer this.
  virtual OutputSums output_sums(const ParamVector& at, std::size_t map);
  /// The training shard behind the maps of `body` before the last.
  virtual std::unique_ptr<HeadData> head_data(const ParamVector& body);

  /// How many of `episodes` trials succeed when `at` acts in the robot's own tasks; in worlds of rewards, their sum.
  /// `draw` names the trials: the same draw is the same trials.
  virtual Score trials(const ParamVector& at, int episodes, std::uint64_t draw);
  /// Weights after a short run of training from `start`, with `term`, if any, added to the loss's gradient. `draw`
  /// names the batches. The robot's own weights and the place in its training stay as they are.
  virtual ParamVector take_steps(const ParamVector& start, const LocalSteps& steps, std::uint64_t draw,
                                 const GradientTerm* term);
  /// At `at`, over the training shard; `draw` names what is drawn for it.
  virtual Curvature curvature(const ParamVector& at, std::uint64_t draw);
};

/// In what numbers robots send their weights (precision.hpp).
enum class Precision { kFloat32, kBfloat16, kInt8 };

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
  std::span<const AffineMap> maps;         ///< the network's, in the order data passes them; empty where unknown
  bool has_head = true;                    ///< the last of `maps` is the network's last
  std::vector<MergeRow> rows;     ///< this rank's robots, ascending; ranks hold ascending blocks. All that take
                                  ///< part; those that do not may be left out (MergerNeeds::absent)
  std::vector<int> participants;  ///< of the whole fleet, ascending, at least one
  std::uint64_t seed = 0;         ///< with `round`, names the random streams
  int round = 0;
  const ParamVector* previous = nullptr;  ///< the last consensus, on every rank; none before the first merge
  const ParamVector* center = nullptr;    ///< that or, before the first merge, what robots begin with if all begin with
                                          ///< the same, else zero; only if asked for (MergerNeeds::center)
  Precision precision = Precision::kFloat32;  ///< in which rows' weights have been sent
  int after = 0;                     ///< of the short rounds after the last merge, which this is, from 1; 0: it is none
  bool wants_series = false;         ///< MergeOutcome::series are to be recorded
  MergeCost* cost = nullptr;         ///< grows by what the merge costs, on every rank alike; nullptr: nobody counts
  PrivateSums* privately = nullptr;  ///< how sums are taken; nullptr: as they are
  KnownSums* known = nullptr;        ///< of the robots' data, from earlier merges; nullptr: nothing is remembered
};

/// What crosses ranks when a method merges N robots of d weights, and what a rank holds of it besides its own robots.
enum class Exchange {
  kSums,       ///< sums over the robots, of weights or of what layers are solved from: O(d) in memory and messages
  kInTurn,     ///< single robots' weights besides, one after another: O(d) in memory, up to O(N d) in messages a sweep
  kAllModels,  ///< every participant's weights on every rank: O(N d) in memory and messages
};

/// What a method must find in the policies that it merges, and takes.
struct MergerNeeds {
  GroupKind symmetry = GroupKind::kPermutation;  ///< what it must be allowed to do to their units
  bool layers = false;                           ///< MergeInput::maps: it works layer by layer
  Questions asks = {};                           ///< of LocalData
  std::string_view key = "merge.method";         ///< the setting that makes it so
  Exchange exchange = Exchange::kSums;
  bool absent = false;   ///< a row also of every robot that does not take part
  bool center = false;   ///< MergeInput::center
  bool whole = false;    ///< it cannot merge a part of the weights while robots keep the rest to themselves
  bool between = false;  ///< it asks robots about weights between two bases, to which what a robot keeps to itself
                         ///< cannot be brought: units that this touches stay where they are
};

/// Named values over the epochs of an alignment, its start first.
using AlignmentSeries = std::map<std::string, std::vector<double>>;

struct MergeOutcome {
  ParamVector merged;                  ///< on every rank
  std::vector<GroupElement> elements;  ///< per row, what brought it into the common basis; may be empty
  std::vector<RelaxedElement> bases;   ///< the same of methods that fit invertible matrices (LinearBlocks)
  int iterations = 0;
  std::vector<double> objective;  ///< the method's own measure of progress, one per iteration
  AlignmentSeries series;         ///< how the alignment went, of methods that align step by step; if wanted
};

/// In Merger::save() and load(): what is remembered of the fleet as a whole.
inline constexpr int kWholeFleet = -1;

/// Lives as long as its fleet: a method may remember, from merge to merge, what robots have sent it.
class Merger {
 public:
  virtual ~Merger() = default;
  /// Collective. Error on every rank if any rank's part fails. A merge that is interrupted is begun again after a
  /// resume: whatever it has changed in memory by then must not change the outcome.
  [[nodiscard]] virtual MergeOutcome merge(const MergeInput& input, const Comm& comm) = 0;
  [[nodiscard]] virtual MergerNeeds needs() const { return {}; }
  /// Over how many sums over its participants, a merge of a network with these `maps` sees anything of theirs, each sum
  /// taken by weighted_mean() or sum_moments(); 0, whatever the maps, where it sees other things of single robots.
  [[nodiscard]] virtual int private_sums(std::span<const AffineMap> /*maps*/) const { return 0; }

  /// Whether it renews batch normalisation itself, of everything that it judges or remembers (renewed_norms.hpp).
  [[nodiscard]] virtual bool renews_norms() const { return false; }

  /// merge() in two, for those who may keep the consensus of another method: a proposal, and what is to be remembered
  /// of the fleet as it goes on from `consensus`, whoever proposed it. Both collective, both of the same input. By
  /// default nothing is remembered. remember() is not interrupted: another method may have remembered the merge.
  [[nodiscard]] virtual MergeOutcome propose(const MergeInput& input, const Comm& comm) { return merge(input, comm); }
  virtual void remember(const MergeInput& /*input*/, const ParamVector& /*consensus*/, const Comm& /*comm*/) {}

  /// What `robot`, on the rank that carries it, adds to its loss's gradient while it trains on from `consensus`, the
  /// last there was (nullptr: none yet, or it was not handed it); nothing by default. Until the next merge it stays the
  /// same, also after save() and load().
  [[nodiscard]] virtual std::unique_ptr<GradientTerm> local_term(int /*robot*/,
                                                                 const ParamVector* /*consensus*/) const {
    return nullptr;
  }

  /// What is remembered of `robot`, on the rank that carries it; for kWholeFleet, what every rank remembers alike. A
  /// method that remembers nothing has nothing to save.
  virtual void save(int /*robot*/, StateWriter& /*state*/) const {}
  virtual void load(int /*robot*/, StateReader& /*state*/) {}
};

/// How a fleet trains: with a merger, or as one of the two reference lines.
enum class Regime {
  kMerge,
  kLocal,  ///< every robot on its own
  kJoint,  ///< one robot with everybody's data
};

/// A line of a table of methods.
struct MergerEntry {
  std::string_view name;
  std::string_view summary;
  Regime regime = Regime::kMerge;
  /// Reads its options from "merge.<name>.*"; nullptr where nothing is ever merged.
  std::unique_ptr<Merger> (*make)(SettingsReader& settings);
  int rounds_after = 0;  ///< short rounds after its merges, unless the settings say otherwise (with_rounds_after)
  /// Of a method whose outcome is decided by more than its options: reads them, looks at what else decides it so that
  /// what is wrong with it is found before anything runs, and names it by content. nullptr where there is nothing.
  std::string (*look)(SettingsReader& settings) = nullptr;
};

/// Every method of this layer, in the order they are listed to users.
[[nodiscard]] std::span<const MergerEntry> merger_table();
/// The entry called `name`; Error if there is none.
[[nodiscard]] const MergerEntry& find_merger(std::string_view name);

}  // namespace fleet
