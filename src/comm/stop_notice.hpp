// How ranks hear that one of them has been asked to stop.
//
// A scheduler's signal may reach some ranks only, and the others may be hours from their next collective. So the first
// rank to know tells its neighbours on a hypercube, they tell theirs, and after log2(ranks) hops everybody knows, each
// having sent log2(ranks) empty messages. Ranks look for them whenever they are asked requested(): at every training
// step, and while they wait for each other.
#pragma once

#include <functional>
#include <vector>

#include "base/stopwatch.hpp"
#include "comm/comm.hpp"

namespace fleet {

class StopNotice {
 public:
  /// `local`: whether this rank has been asked. Collective over `run`.
  StopNotice(const Comm& run, std::function<bool()> local);
  StopNotice(const StopNotice&) = delete;
  StopNotice& operator=(const StopNotice&) = delete;
  ~StopNotice();

  /// Whether any rank has been asked to stop, as far as is known here. Cheap: looks for messages once a millisecond.
  [[nodiscard]] bool requested();

 private:
  [[nodiscard]] bool told_by_neighbour();
  void tell_neighbours();

  Comm comm_;  // of its own: its messages are nobody else's
  std::function<bool()> local_;
  bool known_ = false;
  Stopwatch since_look_;
  std::vector<MPI_Request> sent_;
};

}  // namespace fleet
