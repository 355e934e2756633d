// The robots of one rank, of which most may be at rest: those stand where the whole fleet stands, at the last consensus
// or at their first weights, and hold no weights. One that is to train is woken: it gets weights and an optimiser, in
// buffers that others have left. One that nobody has asked for anything yet takes no memory at all.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "train/workload.hpp"

namespace fleet {

class LocalFleet {
 public:
  struct Member {
    int index = 0;
    std::unique_ptr<Robot> robot;
    std::unique_ptr<ParamVector> weights;  ///< none: it stands where the fleet stands
    std::unique_ptr<Optimizer> optimizer;  ///< none: as new
    std::int64_t steps_left = 0;           ///< in the round under way
  };

  /// `make` makes the robot of an index.
  LocalFleet(std::shared_ptr<const ParamLayout> layout, const OptimizerOptions& optimizer,
             std::function<std::unique_ptr<Robot>(int)> make)
      : layout_(std::move(layout)), optimizer_(optimizer), make_(std::move(make)) {}

  /// Made when it is first asked for; stays where it is.
  Member& member(int index);
  /// Those that have been made, by index.
  [[nodiscard]] std::map<int, Member>& members() { return members_; }

  /// Where a robot without weights stands; null: at its own first weights.
  [[nodiscard]] const ParamVector* standing() const { return standing_ ? &*standing_ : nullptr; }
  void stand_at(ParamVector weights) { standing_ = std::move(weights); }

  /// A robot's weights, wherever it stands; where they are its first, `scratch` holds them.
  const ParamVector& weights(int index, ParamVector& scratch);
  /// Weights and optimiser of its own, which it gets unless it has them.
  ParamVector& own_weights(Member& member);
  Optimizer& own_optimizer(Member& member);

  /// The members that hold weights of their own, in the order in which they got them.
  [[nodiscard]] const std::vector<Member*>& awake() const { return awake_; }
  /// Nobody holds weights any more, but for those who `stays`.
  void release_weights(const std::function<bool(const Member&)>& stays);
  /// The optimiser of a member is as new.
  void release_optimizer(Member& member);

 private:
  std::shared_ptr<const ParamLayout> layout_;
  OptimizerOptions optimizer_;
  std::function<std::unique_ptr<Robot>(int)> make_;
  std::map<int, Member> members_;
  std::vector<Member*> awake_;
  std::optional<ParamVector> standing_;
  std::vector<std::unique_ptr<ParamVector>> spare_weights_;
  std::vector<std::unique_ptr<Optimizer>> spare_optimizers_;  // as new
};

}  // namespace fleet
