// Where a cell under way is kept, as the round loop sees it: records, one after another, that say how it goes on.
//
// The records do not depend on the number of ranks: the first is about the cell, the others about one robot each, in
// their order. They pass through the root of the cell's ranks one at a time.
#pragma once

#include <string>
#include <string_view>

namespace fleet {

struct CheckpointOptions {
  int every_rounds = 0;         ///< 0: not by rounds
  double every_minutes = 10.0;  ///< also within a round; 0: not by time

  [[nodiscard]] bool due_after(int round) const { return every_rounds > 0 && round % every_rounds == 0; }
};

/// Called at the root alone. What cannot be done is an Error.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;

  /// Begins a checkpoint; it replaces the last one when commit() has returned, or never.
  virtual void create() = 0;
  virtual void append(std::string_view record) = 0;
  virtual void commit() = 0;

  /// Whether there is a checkpoint to go on from; if so, next() reads its records.
  [[nodiscard]] virtual bool open() = 0;
  [[nodiscard]] virtual std::string next() = 0;

  /// A checkpoint could not be written; the cell goes on without.
  virtual void warn(std::string_view reason) = 0;
};

struct Checkpointing {
  CheckpointOptions when;
  CheckpointStore* store = nullptr;  ///< none: a cell that is interrupted starts over
  /// Where robots are kept that have trained and been tested, but not merged yet, for cells that differ in nothing else
  /// than what comes now. Of cells that train in one round only; none: a cell trains for itself.
  CheckpointStore* training = nullptr;

  /// Whether training is paused for checkpoints.
  [[nodiscard]] bool pauses() const { return store != nullptr && when.every_minutes > 0.0; }
};

}  // namespace fleet
