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
  /// Of which map, and whether as numbers of double precision.
  struct Key {
    std::size_t map;
    bool in_double = false;
    auto operator<=>(const Key&) const = default;
  };
  /// total = the sum over the fleet of this rank's `parts`, in the order of robots. Returns whether it had to cross the
  /// network. Collective.
  bool add_up(Key key, std::span<const Part> parts, std::span<double> total, const Comm& comm);
  /// Whether robots have not received the sum yet; from now on they have.
  bool hand_back(Key key);
  /// Whether this rank's `robot` has sent its part.
  [[nodiscard]] bool has_part(Key key, int robot) const;
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
  using Sums = std::map<Key, Sum>;
  Sums known_;
  Sums latest_;
};

/// `method`, which is told what the fleet knows (MergeInput::known).
[[nodiscard]] std::unique_ptr<Merger> with_known_sums(std::unique_ptr<Merger> method);

}  // namespace fleet
