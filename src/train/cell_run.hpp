// One cell under way on one rank: the state of the round loop, and its steps. Only run_cell() drives it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/stopwatch.hpp"
#include "comm/placement.hpp"
#include "train/checkpoint.hpp"
#include "train/local_fleet.hpp"
#include "train/round_loop.hpp"

namespace fleet {

class CellRun {
 public:
  /// Collective, as is everything below.
  CellRun(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
          const Checkpointing& checkpointing, std::span<RoundObserver* const> observers, const TrainingWatch& watch);

  [[nodiscard]] bool is_done() const { return phase_ == Phase::kBegin && (round_ > options_.rounds() || stopped_); }
  /// The round under way, from 1.
  [[nodiscard]] int round() const { return round_; }
  /// Goes on to the end of the round under way. Interrupted leaves a state from which the same call, or one after
  /// save() and resume(), gives what it would have given.
  RoundRecord finish_round();
  CellResult take_result();

  /// Whether a checkpoint should be written between two rounds.
  [[nodiscard]] bool save_is_due();
  /// Writes a checkpoint if there is a place for one; what goes wrong is a warning.
  void save();
  /// Goes on from a checkpoint if there is one, and returns the rounds behind it.
  std::vector<RoundRecord> resume();
  /// Goes on from what another cell has trained, if that is there. An Error leaves nothing to go on with.
  void take_training();

 private:
  using Member = LocalFleet::Member;
  class FirstError;
  /// What a round has yet to do, in order.
  enum class Phase : std::uint8_t { kBegin, kTrain, kTestLocals, kMerge, kTestConsensus, kObserve };
  /// Who does what in a round; each ascending, of the whole fleet.
  struct Roster {
    std::vector<int> drawn;   ///< for its merge
    std::vector<int> merged;  ///< those that come to it: some of the drawn, and who was late for the last
    std::vector<int> late;    ///< of the drawn, those that come to the next
  };

  void begin_round();
  /// Robots that are looked at have weights of their own, as long as the fleet stands nowhere.
  void wake_shown();
  std::unique_ptr<Robot> make_robot(int index);
  /// Gradient steps that a robot takes per local epoch of the fleet.
  [[nodiscard]] std::int64_t steps_per_epoch(int robot) const;
  /// Local epochs in a round: the last may be shorter.
  [[nodiscard]] int epochs_in(int round) const;
  /// Local epochs that a robot of this rank trains for in all rounds together.
  [[nodiscard]] int epochs_of(int robot) const;
  void train();
  void train_member(Member& member);
  [[nodiscard]] bool is_tested() const;  // this round
  [[nodiscard]] bool tests_locals() const;
  void test_locals();
  void test_locals_now();
  /// Notes whether the target is reached, and whether that ends the cell.
  void look_at_target(const std::vector<NamedValue>& tested);
  /// `late`: of the round before.
  [[nodiscard]] Roster draw_roster(int round, const std::vector<int>& late) const;
  [[nodiscard]] bool all_train() const;  // in every round
  [[nodiscard]] bool is_last() const { return round_ == options_.rounds() || stopped_; }
  [[nodiscard]] bool may_be_last() const {
    return is_last() || (options_.target && options_.stop_at_target && is_tested());
  }
  /// Whether no training follows this round's.
  [[nodiscard]] bool trained_last() const {
    return round_ == options_.training_rounds() || (stopped_ && round_ < options_.training_rounds());
  }
  /// What all know of the robots' weights before the first merge: what they begin with, where they all begin with the
  /// same, else zero. Collective.
  const ParamVector& known_start();
  [[nodiscard]] std::vector<int> own_robots() const;
  /// This rank's part of some robots of the whole fleet, both ascending.
  [[nodiscard]] std::span<const int> own_part(std::span<const int> robots) const;
  /// The robots of this rank that train in this round.
  [[nodiscard]] std::vector<int> trainees() const;
  /// Those that mergers and observers see in this round: the participants, or all.
  [[nodiscard]] std::vector<int> shown() const;
  /// The robots as they are, with this round's participants.
  [[nodiscard]] MergeInput look_at_robots();
  void merge();
  void merge_robots();
  void test_consensus();
  /// Tests every robot's policy after the merge, and returns what they come to together.
  [[nodiscard]] std::vector<NamedValue> test_personal(std::vector<Metric>& each);
  /// Whether a robot goes on from the last merge's outcome.
  [[nodiscard]] bool takes_merged(int robot) const;
  /// What a robot goes on with after the last merge, where each keeps a part to itself. `row`: its place in shown().
  [[nodiscard]] ParamVector after_merge(std::size_t row, int robot);
  /// Observers look on, then the robots go on from the consensus.
  void observe();
  void hand_back();
  void carry_moments();
  void average_moments();
  /// Processor time of all ranks since the last call. Collective.
  double processor_seconds_since();
  /// Bytes that all ranks have moved since the last call. Collective.
  std::uint64_t bytes_moved_since();
  /// Charges the time since the last call to a phase, less what was spent waiting.
  void charge(double PhaseSeconds::*phase);
  /// Whether training is paused when a checkpoint is due. Not where rounds are so short that it can as well wait for
  /// the end of one, when there is less to keep.
  [[nodiscard]] bool pauses() const { return checkpointing_.pauses() && !rounds_are_short_; }

  /// Whether the robots, once trained, may be another cell's as well: the method has no part in their training.
  [[nodiscard]] bool shares_training() const;
  /// What is kept in a store: in that of the training nothing of the method.
  void save_in(CheckpointStore& store);
  void write_records(CheckpointStore& store);
  [[nodiscard]] bool resume_from(CheckpointStore& store);
  [[nodiscard]] Merger* kept_merger(const CheckpointStore& store) const {
    return &store == checkpointing_.training ? nullptr : merger_;
  }
  void send_members(int rank, CheckpointStore& store, FirstError& failure);
  void receive_members(int rank, CheckpointStore& store, std::string& record, FirstError& failure);
  [[nodiscard]] std::string cell_state(const Merger* merger) const;
  void load_cell_state(std::string_view bytes, Merger* merger);
  [[nodiscard]] std::string member_state(const Member& member, std::span<const int> rows, const Merger* merger) const;
  void load_member_state(std::string_view bytes, std::span<const int> rows, Merger* merger);

  const FleetOptions& options_;
  Regime regime_;
  Merger* merger_;
  Workload& workload_;
  const Comm& comm_;
  const Checkpointing& checkpointing_;
  std::span<RoundObserver* const> observers_;
  const TrainingWatch& watch_training_;
  Placement placement_;
  std::vector<int> with_data_;  // robots, of the whole fleet
  std::map<int, int> epochs_;   // of robots of this rank: that they train for or, where all train, miss (epochs_of)
  LocalFleet fleet_;
  std::optional<SharedPart> shared_;     // that is merged, where robots keep the rest to themselves
  std::optional<MergeOutcome> outcome_;  // of the last merge; of `joint`, its weights
  std::optional<ParamVector> known_start_;

  int round_ = 1;
  Phase phase_ = Phase::kBegin;
  bool resumed_ = false;
  Roster roster_;                     // of the round under way
  std::vector<int> late_;             // of the round before
  int reached_ = 0;                   // round in which the target was reached; 0: not yet
  bool stopped_ = false;              // as the target was reached
  std::int64_t steps_of_round_ = 0;   // of the robots of this rank that train in it
  std::int64_t steps_taken_ = 0;      // of these
  std::vector<int> last_rows_;        // shown() of the last round
  RoundRecord record_;                // of the round under way
  std::vector<RoundRecord> history_;  // kept for checkpoints

  Stopwatch watch_;
  Stopwatch since_save_;
  Stopwatch since_begin_;  // of the round under way
  bool rounds_are_short_ = false;
  double waited_before_;  // what the communicator had waited and moved before
  std::uint64_t bytes_before_;
  double processor_before_;
};

}  // namespace fleet
