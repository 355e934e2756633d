// Which rank carries which robot, and nothing else.
#pragma once

namespace fleet {

/// Robots in ascending blocks over ranks, sizes differing by at most one: the order of ranks, then of local robots,
/// is the order of robots. With fewer robots than ranks the last ranks carry none.
struct Placement {
  int robots = 0;
  int ranks = 1;
  /// First robot of `rank`; begin(ranks) == robots.
  [[nodiscard]] constexpr int begin(int rank) const {
    const int share = robots / ranks;
    const int extra = robots % ranks;
    return rank * share + (rank < extra ? rank : extra);
  }
  [[nodiscard]] constexpr int end(int rank) const { return begin(rank + 1); }
  /// The rank that carries `robot`.
  [[nodiscard]] constexpr int owner(int robot) const {
    const int share = robots / ranks;
    const int extra = robots % ranks;
    const int in_larger = extra * (share + 1);
    return robot < in_larger ? robot / (share + 1) : extra + (robot - in_larger) / share;
  }
};

}  // namespace fleet
