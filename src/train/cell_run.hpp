// One cell under way on one rank: the state of the round loop, and its steps. Only run_cell() drives it.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/stopwatch.hpp"
#include "comm/placement.hpp"
#include "train/checkpoint.hpp"
#include "train/round_loop.hpp"

namespace fleet {

class CellRun {
 public:
  /// Collective, as is everything below.
  CellRun(const FleetOptions& options, Regime regime, Merger* merger, Workload& workload, const Comm& comm,
          const Checkpointing& checkpointing, std::span<RoundObserver* const> observers);

  [[nodiscard]] bool is_done() const { return round_ > options_.rounds(); }
  /// The round under way, from 1.
  [[nodiscard]] int round() const { return round_; }
  /// Goes on to the end of the round under way. Interrupted leaves a state from which the same call, or one after
  /// save() and resume(), gives what it would have given.
  RoundRecord finish_round();
  CellResult take_result();

  /// Writes a checkpoint if there is a place for one; what goes wrong is a warning.
  void save();
  /// Goes on from a checkpoint if there is one, and returns the rounds that it has behind it.
  std::vector<RoundRecord> resume();

 private:
  struct Member {
    int index;
    std::unique_ptr<Robot> robot;
    std::int64_t steps_left = 0;  ///< in the round under way
  };
  /// What a round has yet to do, in order.
  enum class Phase : std::uint8_t { kBegin, kTrain, kTestLocals, kMerge, kTestConsensus, kObserve };

  void begin_round();
  /// Gradient steps that a member takes per local epoch of the fleet.
  std::int64_t steps_per_epoch(const Member& member) const;
  /// Tells the members how many steps their training will come to.
  void announce_steps();
  /// Local epochs in a round: the last may be shorter.
  [[nodiscard]] int epochs_in(int round) const;
  void train();
  void train_member(Member& member);
  [[nodiscard]] bool is_tested() const;  // this round
  [[nodiscard]] bool tests_locals() const;
  void test_locals();
  std::vector<int> draw_participants(int round) const;
  [[nodiscard]] bool all_train() const;  // in every round
  /// The members that train in a round.
  std::vector<Member*> trainees(int round);
  /// The robots as they are, with this round's participants.
  [[nodiscard]] MergeInput look_at_robots() const;
  void merge();
  void merge_robots();
  void test_consensus();
  /// Observers look on, then the robots go on from the consensus.
  void observe();
  void hand_back(const std::vector<int>& participants);
  void carry_moments(const std::vector<Member*>& takers, const std::vector<int>& participants);
  /// Charges the time since the last call to a phase, less what was spent waiting.
  void charge(double PhaseSeconds::*phase);

  void write_records();
  [[nodiscard]] std::string cell_state() const;
  void load_cell_state(std::string_view bytes);
  [[nodiscard]] std::string member_state(const Member& member) const;
  void load_member_state(std::string_view bytes, std::size_t row);

  const FleetOptions& options_;
  Regime regime_;
  Merger* merger_;
  Workload& workload_;
  const Comm& comm_;
  const Checkpointing& checkpointing_;
  std::span<RoundObserver* const> observers_;
  Placement placement_;
  std::vector<Member> members_;
  std::optional<MergeOutcome> outcome_;  // of the last merge; of `joint`, its weights

  int round_ = 1;
  Phase phase_ = Phase::kBegin;
  RoundRecord record_;                // of the round under way
  std::vector<RoundRecord> history_;  // kept for checkpoints

  Stopwatch watch_;
  Stopwatch since_save_;
  double waited_before_;  // what the communicator had waited and moved before
  std::uint64_t bytes_before_;
};

}  // namespace fleet
