#include "merge/block_matching.hpp"

#include "merge/linear_assignment.hpp"

namespace fleet {

BlockMatching::BlockMatching(const SymmetrySpec& symmetry, std::size_t parent)
    : symmetry_(symmetry),
      parent_(parent),
      likeness_(RowMatrix::Zero(symmetry.groups()[parent].size, symmetry.groups()[parent].size)) {}

void BlockMatching::compare(int block, int other, const RowMatrix& units) {
  const Permutation& inside = insides_[{block, other}].emplace_back(maximum_assignment(units));
  for (std::size_t u = 0; u < inside.size(); ++u) {
    likeness_(block, other) += units(static_cast<Eigen::Index>(u), inside[u]);
  }
}

void BlockMatching::match(GroupElement& element) const {
  element[parent_] = maximum_assignment(likeness_);
  for (int block = 0; block < static_cast<int>(likeness_.rows()); ++block) {
    const int from = element[parent_][static_cast<std::size_t>(block)];
    const std::vector<std::size_t> groups = symmetry_.groups_within(parent_, from);
    for (std::size_t k = 0; k < groups.size(); ++k) element[groups[k]] = insides_.at({block, from})[k];
  }
}

}  // namespace fleet
