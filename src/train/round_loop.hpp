// The loop of the paper (Section 5.2): train locally, merge, hand the consensus back, evaluate.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "comm/comm.hpp"
#include "merge/merger.hpp"
#include "merge/privacy.hpp"
#include "merge/shared_part.hpp"
#include "train/checkpoint.hpp"
#include "train/measurement.hpp"
#include "train/target.hpp"
#include "train/workload.hpp"

namespace fleet {

struct FleetOptions {
  int robots = 5;
  int epochs = 5;              ///< local epochs in all
  int merge_every = 1;         ///< M, epochs between merges; 0 for one merge at the end (one-shot)
  int rounds_after = 0;        ///< short rounds after the last merge, in which nobody trains but as the method asks
  double participation = 1.0;  ///< share of the robots that take part in a merge
  int participants = 0;        ///< their number instead of their share; 0: by the share
  double dropped = 0.0;        ///< chance of each of them to fail: what it has trained in the round is lost
  double late = 0.0;           ///< chance of each of the others to be slow: it takes part in the next merge instead
  enum class Trainees { kAll, kParticipants };
  Trainees trainees = Trainees::kAll;  ///< who trains in a round; the participants of its merge are drawn before it
  enum class HandBack { kAll, kParticipants };
  HandBack hand_back = HandBack::kAll;  ///< who goes on from the consensus
  enum class Moments { kReset, kKeep, kAverage };
  Moments moments = Moments::kReset;  ///< of the optimiser of those who do
  int test_every = 1;                 ///< rounds between tests; 0: only the last is tested, which always is
  enum class LocalTests { kNever, kLast, kEvery };
  LocalTests local_tests = LocalTests::kLast;  ///< tests in which the robots' own policies take part, before the merge
  enum class JointSteps { kRobot, kFleet };
  JointSteps joint_steps =
      JointSteps::kRobot;                    ///< gradient steps of `joint`: as one robot's, or as all robots' together
  std::vector<std::string> parameters = {};  ///< patterns of what is merged (SharedPart); none: all
  std::optional<Target> target;              ///< of which is told in which round it was reached
  bool stop_at_target = false;               ///< that round is the last
  PrivacyOptions privacy;                    ///< of merges
  std::uint64_t seed = 0;

  /// Robots that are drawn for a merge, of so many that have data.
  [[nodiscard]] int drawn(int with_data) const;
  /// Epochs between evaluations and merges.
  [[nodiscard]] int round_epochs() const { return merge_every == 0 ? epochs : merge_every; }
  /// Local epochs done after so many rounds.
  [[nodiscard]] int epochs_after(int rounds) const {
    return static_cast<int>(std::min<std::int64_t>(epochs, static_cast<std::int64_t>(rounds) * round_epochs()));
  }
  /// Rounds that begin with training, and all.
  [[nodiscard]] int training_rounds() const { return (epochs - 1) / round_epochs() + 1; }
  [[nodiscard]] int rounds() const { return training_rounds() + rounds_after; }
};

inline constexpr int kMergedPolicy = -1;
/// Split of what robots' own policies come to after a merge: its outcome, and what they keep to themselves.
inline constexpr const char* kPersonal = "personal";

/// A metric of the merged policy in the last round, where there is a target: in which round it was reached first; not a
/// number if in none.
inline constexpr const char* kRoundsToTarget = "rounds_to_target";

struct Metric {
  int robot = kMergedPolicy;
  std::string split;
  std::string name;
  double value = 0.0;
};

/// Wall seconds of this rank by what they were spent on.
struct PhaseSeconds {
  double train = 0.0;
  double wait = 0.0;  ///< for slower ranks, at the ends of phases
  double merge = 0.0;
  double evaluate = 0.0;
  double other = 0.0;
};

struct RoundRecord {
  int round = 0;  ///< from 1
  int epoch = 0;  ///< local epochs done
  int participants = 0;
  int dropped = 0;  ///< of those drawn
  int late = 0;     ///< of those drawn: they take part in the next merge
  int merge_iterations = 0;
  /// In robot order, merged first. Where robots keep a part of their weights to themselves, what is merged has no
  /// values of its own: its are those of the robots' policies after the merge together, which are there besides, of
  /// split kPersonal.
  std::vector<Metric> metrics;
  std::vector<Measurement> measurements;  ///< by observers
  PhaseSeconds seconds;
  double processor_seconds = 0.0;  ///< of all ranks together
  std::uint64_t bytes_moved = 0;   ///< by all ranks
  MergeCost cost;                  ///< of the merge, the robots being handed its outcome included
};

struct CellResult {
  std::optional<ParamVector> merged;   ///< the last consensus; none for `local`
  std::vector<int> robots;             ///< those of this rank, where the last merge has left elements or bases
  std::vector<GroupElement> elements;  ///< per such robot (MergeOutcome::elements), or none
  std::vector<RelaxedElement> bases;   ///< the same of MergeOutcome::bases
};

/// A round as onlookers see it: the robots have trained and merged, but not yet gone on from the consensus.
struct RoundView {
  int round = 0;
  int epoch = 0;
  bool last = false;
  bool trained_last = false;           ///< no training follows this round's
  const MergeInput& robots;            ///< those with data take part where nothing is drawn; of `joint`, its one robot
  const MergeOutcome* outcome;         ///< nullptr where nothing is merged; of `joint`, its weights
  const SharedPart* shared = nullptr;  ///< where robots keep a part of their weights to themselves: what they share
  std::function<ParamVector(std::size_t row)> after_merge = {};  ///< and what the robot of a row goes on with
};

/// Looks on at a cell without changing what comes of it.
class RoundObserver {
 public:
  virtual ~RoundObserver() = default;
  /// Whether methods are to record MergeOutcome::series.
  [[nodiscard]] virtual bool wants_series() const { return false; }
  /// Whether RoundView::robots is to have a row for every robot, rather than for the participants alone, in the last
  /// round with training or in another.
  [[nodiscard]] virtual bool wants_all_robots(bool /*last_round*/) const { return false; }
  /// Once a round, on every rank of the cell; the measurements are the same on all. Begun again where it was
  /// interrupted. Collective.
  [[nodiscard]] virtual std::vector<Measurement> observe(const RoundView& view, const Comm& comm) = 0;
};

/// Called before every gradient step: how much of the round's training this rank has done, from 0 to 1.
using TrainingWatch = std::function<void(int round, double share)>;

/// Runs one cell on `comm`; every rank emits the same records but for seconds. Collective. `merger` is nullptr unless
/// the regime is kMerge. Error names the robot and round that failed.
///
/// Goes on from the last checkpoint if there is one, on whatever number of ranks, after emitting the rounds behind it;
/// the outcome, measurements included, has the same bits as without the interruption. Interrupted is thrown when a
/// checkpoint is safe.
CellResult run_cell(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
                    const std::function<void(const RoundRecord&)>& emit, const Checkpointing& checkpointing = {},
                    std::span<RoundObserver* const> observers = {}, const TrainingWatch& watch = {});

}  // namespace fleet
