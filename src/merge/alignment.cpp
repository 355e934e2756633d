#include "merge/alignment.hpp"

#include "merge/weight_matching.hpp"

namespace fleet {

std::vector<GroupElement> align_fleet(Alignment alignment, const MergeInput& input, const Comm& comm) {
  if (alignment == Alignment::kGitRebasin) return match_fleet(input, comm).elements;
  return {input.rows.size(), input.symmetry->identity()};
}

}  // namespace fleet
