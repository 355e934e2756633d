// Sums over the fleet that need not cross the network again: of the second moments of robots' data, which stay what
// they are from merge to merge.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "merge/merger.hpp"

namespace fleet {

/// What is known of the sum for each map that sees the data themselves (AffineMap::sees_data): the sum, and which part
/// each robot had in it. Only where no robot's part has changed, and none is missing or new, the sum is what it was.
/// What a merge finds is remembered once it is through, so that one which is begun again costs the same.
class KnownSums {
 public:
  struct Part {
    int robot;
    std::span<const double> numbers;
  };
  /// total = the sum over the fleet of this rank's `parts`, in the order of robots, for map `map`. Returns whether it
  /// had to cross the network. Collective.
  bool add_up(std::size_t map, std::span<const Part> parts, std::span<double> total, const Comm& comm);
  /// Whether robots have not received the sum for `map` yet; from now on they have.
  bool hand_back(std::size_t map);
  /// The merge is through.
  void commit() { known_ = latest_; }

  /// As Merger's.
  void save(int robot, StateWriter& state) const;
  void load(int robot, StateReader& state);

 private:
  struct Sum {
    std::map<int, std::uint64_t> parts;                ///< of this rank's robots, a hash of each
    std::shared_ptr<const std::vector<double>> total;  ///< on every rank
    bool handed_back = false;
  };
  using Sums = std::map<std::size_t, Sum>;  ///< by map
  Sums known_;
  Sums latest_;
};

}  // namespace fleet
