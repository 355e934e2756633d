// Matching of blocks that have groups of their own within them: attention heads and the dimensions of each.
#pragma once

#include <map>
#include <utility>

#include "model/symmetry.hpp"

namespace fleet {

/// Blocks are matched by how alike they are once their insides are matched as well as can be.
class BlockMatching {
 public:
  /// `symmetry` is kept as a reference; `parent` is the group whose units are blocks.
  BlockMatching(const SymmetrySpec& symmetry, std::size_t parent);

  /// How alike the units of the next group within `block` and of its like within block `other` are (higher is more).
  /// Every pair of blocks is to be compared, in all groups, in the order of SymmetrySpec::groups_within().
  void compare(int block, int other, const RowMatrix& units);
  /// Sets `parent` and the groups within its blocks.
  void match(GroupElement& element) const;

 private:
  const SymmetrySpec& symmetry_;
  std::size_t parent_;
  RowMatrix likeness_;
  std::map<std::pair<int, int>, std::vector<Permutation>> insides_;
};

}  // namespace fleet
